"""French of what asks: stock, parked messages, observations. As in `french.py`."""

from typing import Final

ASKING: Final = {
    "observations: {state}": "observations : {state}",
    "Of each state: {value}": "Par état : {value}",
    "sources": "sources",
    "none to look at": "aucune à regarder",
    "yes": "oui",
    "goods in": "réceptions",
    "Which holds?": "Quelles réservations ?",
    "Name --location, or ask for --overdue ones.": (
        "Indiquez --location, ou demandez celles qui sont trop vieilles avec --overdue."
    ),
    "--sku goes with --location alone.": "--sku ne va qu'avec --location.",
    "Leave one of them out.": "Retirez l'un des deux.",
    "Nothing is held there.": "Rien n'est réservé ici.",
    "holds, first come first": "réservations, dans l'ordre d'arrivée",
    " until {until}": " jusqu'au {until}",
    "{hold}: {state}{ends}": "{hold} : {state}{ends}",
    "{hold}: {state}": "{hold} : {state}",
    "{counts:,} counts at {location} up to {until} are closed: what comes late is shown apart.": (
        "{counts:,} comptages à {location} jusqu'à {until} sont clos : ce qui arrive en retard est "
        "montré à part."
    ),
    "lots, first to go first": "lots, les premiers à sortir d'abord",
    "No lot is on a shelf there.": "Aucun lot n'est en rayon ici.",
    "the way of {what}": "le chemin de {what}",
    "No movement of {sku} names {what}.": "Aucun mouvement de {sku} ne nomme {what}.",
    "Look for a typing error; `stocktide stock lots {sku}` lists its lots.": (
        "Cherchez une faute de frappe ; `stocktide stock lots {sku}` liste ses lots."
    ),
    "What is to be traced?": "Que faut-il suivre ?",
    "Name one of --lot and --serial.": "Indiquez --lot ou --serial, l'un des deux.",
    "Nothing to look at.": "Rien à regarder.",
    "No supply order is told of.": "Aucun approvisionnement n'est annoncé.",
    "no: it posts": "non : elle comptabilise",
    "anything": "quoi que ce soit",
    "applied": "appliqué",
    "was brought back before": "avait déjà été repris",
    "parked again as {reason}": "remis en attente : {reason}",
    "parked": "messages en attente",
    "Of each reason: {value}": "Par motif : {value}",
    "`stocktide parked list` shows what is left.": "`stocktide parked list` montre ce qui reste.",
    "parked {name}:{number}": "message en attente {name}:{number}",
    "Which messages?": "Quels messages ?",
    "Name ids, or one of --reason and --all.": "Indiquez des identifiants, ou --reason, ou --all.",
    "{name}: replayed {replayed}": "{name} : {replayed} repris",
    "{told!r} is no id of a parked message.": (
        "{told!r} n'est pas l'identifiant d'un message en attente."
    ),
    "An id is SERVICE:NUMBER, as `stocktide parked list` shows it.": (
        "Un identifiant s'écrit SERVICE:NUMÉRO, comme le montre `stocktide parked list`."
    ),
    "No parked message has the id {told}.": "Aucun message en attente n'a l'identifiant {told}.",
    "`stocktide parked list` shows them.": "`stocktide parked list` les montre.",
    "Several services have it: {ids}.": "Plusieurs services l'ont : {ids}.",
    "Name one of them.": "Indiquez l'un d'eux.",
    "No service called {service!r} keeps parked messages here.": (
        "Aucun service nommé {service!r} ne garde ici de messages en attente."
    ),
    "There are: {value}.": "Il y a : {value}.",
    "{sku}: what the ledger had booked{by}": "{sku} : ce que le grand livre a comptabilisé{by}",
    "{won} over {lost}": "{won} plutôt que {lost}",
    "Asked for; `stocktide status` shows when availability is ready again.": (
        "Demandé ; `stocktide status` montre quand availability est de nouveau prêt."
    ),
    "levels": "niveaux de stock",
    "available to sell": "disponible à la vente",
    "The ledger has no level of {sku}{value}.": "Le grand livre n'a aucun stock de {sku}{value}.",
    "Look for a typing error; `stocktide stock get` lists its locations.": (
        "Cherchez une faute de frappe ; `stocktide stock get` liste ses emplacements."
    ),
    "{channel}: {available_to_sell} available to sell": (
        "{channel} : {available_to_sell} disponibles à la vente"
    ),
    "offered by": "offert par",
    "{channel}: made of": "{channel} : composé de",
    "Nobody has told us of {sku}.": "Personne ne nous a parlé de {sku}.",
    "{location}: months that are closed hold some that was recorded later.": (
        "{location} : des mois clos contiennent des écritures postérieures."
    ),
    "{told!r} is no moment.": "{told!r} n'est pas un moment.",
    "Write it as 2026-03-01T12:00:00+01:00.": "Écrivez-le comme 2026-03-01T12:00:00+01:00.",
    " by {moment}": " au {moment}",
    " at {location}": " à {location}",
    " restated": " (redressé)",
    "There is nothing to count at {location}.": "Il n'y a rien à compter à {location}.",
    "Look for a typing error; `stocktide stock get` lists the places of a SKU.": (
        "Cherchez une faute de frappe ; `stocktide stock get` donne les emplacements d'un article."
    ),
    "counts": "comptages",
    "{counts:,} counts: {found:,} units found, {missing:,} missing ({values}); the book was right, "
    "within one unit, in {accuracy:.1%}.": (
        "{counts:,} comptages : {found:,} unités trouvées, {missing:,} manquantes ({values}) ; le "
        "livre était juste, à une unité près, dans {accuracy:.1%}."
    ),
    "value unknown": "valeur inconnue",
    "on the way": "en chemin",
    "waiting to be counted": "en attente de comptage",
    "The ledger does not know {skus}.": "Le grand livre ne connaît pas {skus}.",
    "average cost of a unit": "coût moyen d'une unité",
    "none named": "aucune désignée",
    "Movements have come that are not worked out yet; ask again in a moment.": (
        "Des mouvements sont arrivés qui ne sont pas encore pris en compte ; redemandez dans un "
        "instant."
    ),
    "Nothing waits to be counted.": "Rien n'attend d'être compté.",
    "{location}: looked for in vain at {at} for order {order}, and not counted since: "
    "offered at no distance.": (
        "{location} : cherché en vain le {at} pour la commande {order}, et pas compté depuis : "
        "n'est plus offert à distance."
    ),
}
