"""French of what `import` says of movements and counts. As in `french.py`."""

from typing import Final

IMPORTING: Final = {
    "--at {at!r} is no moment.": "--at {at!r} n'est pas un instant.",
    "Write one such as 2026-03-01T08:00:00+01:00.": (
        "Écrivez-en un comme 2026-03-01T08:00:00+01:00."
    ),
    "There is no time zone {zone!r}.": "Le fuseau horaire {zone!r} n'existe pas.",
    "Write one such as Europe/Paris.": "Écrivez-en un comme Europe/Paris.",
    "{kind} has no {options}.": "{kind} n'a pas d'option {options}.",
    "These are for movements and counts; leave them out.": (
        "Elles sont pour les mouvements et les comptages ; omettez-les."
    ),
    "sending": "envoi",
    "{name!r} can name no message.": "{name!r} ne peut pas nommer un message.",
    "Give another --source: up to 200 characters, none of them control.": (
        "Indiquez une autre --source : 200 caractères au plus, aucun de contrôle."
    ),
    "Give the file's paper a shorter number: --document.": (
        "Donnez au document un numéro plus court : --document."
    ),
    "Kafka took {sent:,} of {rows:,} rows, and then it failed: {error!r}.": (
        "Kafka a pris {sent:,} lignes sur {rows:,}, puis échec : {error!r}."
    ),
    "Run the same command again: what came in once counts once.": (
        "Relancez la même commande : ce qui est entré une fois ne compte qu'une fois."
    ),
    "Told to the ledger: {sent:,} rows of {source}, as document {document}; what it knew already "
    "counts once. `stocktide parked list` shows what waits.": (
        "Transmis au grand livre : {sent:,} lignes de {source}, document {document} ; ce qu'il "
        "connaissait déjà ne compte qu'une fois. `stocktide parked list` montre ce qui attend."
    ),
    "A dry run: nothing was sent.": "Essai à blanc : rien n'a été envoyé.",
    "Nothing was sent. Mend these rows and import the file again; with --partial the others are "
    "sent without them.": (
        "Rien n'a été envoyé. Corrigez ces lignes et réimportez le fichier ; avec --partial, les "
        "autres sont envoyées sans elles."
    ),
}
