"""French: each English text as it stands where it is said, and words of the contracts.

Placeholders keep their names; numbers are written the French way when they are filled in.
"""

from typing import Final

from services.cli.texts.french_asking import ASKING
from services.cli.texts.french_importing import IMPORTING

COMMON: Final = {
    "Kafka refused to create {name}: {name_} {details}.": (
        "Kafka refuse de créer {name} : {name_} {details}."
    ),
    "Look whether the broker has room and lets this client create topics.": (
        "Vérifiez que le serveur a de la place et autorise ce client à créer des topics."
    ),
    "Topic {name} has {value} partitions, not {partitions}.": (
        "Le topic {name} a {value} partitions au lieu de {partitions}."
    ),
    "The number never changes for a version of a topic: use another Kafka, or delete the topic "
    "if its content may go (`stocktide reset`).": (
        "Ce nombre ne change jamais pour une version d'un topic : prenez un autre Kafka, ou "
        "supprimez le topic si son contenu peut être perdu (`stocktide reset`)."
    ),
    "{name} ended with status {last_status} and is started again; see {log_of}.": (
        "{name} s'est arrêté avec le statut {last_status} et redémarre ; voir {log_of}."
    ),
    "{name} did not end in {stop_seconds:.0f} s and is killed.": (
        "{name} ne s'est pas arrêté en {stop_seconds:.0f} s : arrêt forcé."
    ),
    "No stack runs in {data}.": "Rien ne tourne dans {data}.",
    "Start one with `stocktide up` or `stocktide demo`, or name its folder with STOCKTIDE_DATA.": (
        "Démarrez avec `stocktide up` ou `stocktide demo`, ou indiquez le dossier par "
        "STOCKTIDE_DATA."
    ),
    "The running stack has no {name}.": "{name} ne fait pas partie de ce qui tourne.",
    "Start it beside the others: `stocktide up` without names, or `stocktide run {name}`.": (
        "Démarrez-le à côté des autres : `stocktide up` sans nom, ou `stocktide run {name}`."
    ),
    "Kafka: {error!r}. Look whether it runs: `stocktide status`.": (
        "Kafka : {error!r}. Vérifiez qu'il tourne : `stocktide status`."
    ),
    "PostgreSQL: {error}. Look whether it runs: `stocktide status`.": (
        "PostgreSQL : {error}. Vérifiez qu'il tourne : `stocktide status`."
    ),
    "{name} is wrong: {why}. .env.example tells what it may be.": (
        "{name} est incorrect : {why}. .env.example dit ce qu'il peut être."
    ),
    "no file": "aucun fichier",
    "The disk is full: free some space, or set STOCKTIDE_DATA to another disk.": (
        "Le disque est plein : libérez de la place, ou désignez un autre disque par STOCKTIDE_DATA."
    ),
    "Another program has the port: end it, or set the service's port variable (`stocktide "
    "config show` lists them).": (
        "Un autre programme occupe le port : arrêtez-le, ou changez la variable de port du "
        "service (`stocktide config show` les liste)."
    ),
    "You may not write there: name a folder of yours with STOCKTIDE_DATA.": (
        "Vous n'avez pas le droit d'écrire à cet endroit : désignez un dossier à vous par "
        "STOCKTIDE_DATA."
    ),
    "The file system is read-only: name another folder with STOCKTIDE_DATA.": (
        "Le système de fichiers est en lecture seule : désignez un autre dossier par "
        "STOCKTIDE_DATA."
    ),
    "No service is called {name!r}.": "Aucun service ne s'appelle {name!r}.",
    "There are: {names}.": "Il y a : {names}.",
    "A stack ({kind}, process {pid}) runs in {folder} already.": (
        "Une instance ({kind}, processus {pid}) tourne déjà dans {folder}."
    ),
    "Look at it with `stocktide status`, or stop it with `stocktide down`.": (
        "Regardez-la avec `stocktide status`, ou arrêtez-la avec `stocktide down`."
    ),
    "Look for a typing error.": "Cherchez une faute de frappe.",
    "{service} answered {status_code}: {answer}": "{service} a répondu {status_code} : {answer}",
    "See `stocktide logs {service}`.": "Voir `stocktide logs {service}`.",
    "{service} does not answer at {url}: {error}.": "{service} ne répond pas à {url} : {error}.",
    "Look at it: `stocktide status`, `stocktide logs {service}`.": (
        "Regardez ce qu'il en est : `stocktide status`, `stocktide logs {service}`."
    ),
    "{migrations} migrations applied, {created} topics created.": (
        "Migrations appliquées : {migrations} ; topics créés : {created}."
    ),
    "{children} processes are ready.": "Processus prêts : {children}.",
    "End what takes ports on this machine.": "Arrêtez ce qui occupe des ports sur cette machine.",
    "Not ready after {seconds:.0f} s: {names}.": "Pas prêt après {seconds:.0f} s : {names}.",
    "Read {log}; `stocktide doctor` looks at this machine.": (
        "Lisez {log} ; `stocktide doctor` examine cette machine."
    ),
    "What, and from where?": "Quoi, et d'où ?",
    "Name KIND and FILE.": "Indiquez KIND et FILE.",
    "{seconds:5.0f} s  {sales} sales ({rate:.0f}/s), {orders} orders ({refused} refused), "
    "{sent} units sent, {returns} returns, published {published}, {times}, {sold_out} sold "
    "out, {short} short, {parked} parked, {oversold} oversold": (
        "{seconds:5.0f} s  ventes {sales} ({rate:.0f}/s), commandes {orders} ({refused} "
        "refusées), unités expédiées {sent}, retours {returns}, publié {published}, {times}, "
        "ruptures {sold_out}, lignes non servies {short}, messages en attente {parked}, "
        "survente {oversold}"
    ),
    "so far": "jusqu'ici",
    "per second": "par seconde",
    "store sales": "ventes en magasin",
    "movements in the log": "mouvements dans le journal",
    "units asked for in vain": "unités demandées en vain",
    "listings sold out": "annonces en rupture",
    "orders refused as sold out": "commandes refusées pour rupture",
    "units sent": "unités expédiées",
    "returns graded": "retours contrôlés",
    "short lines": "lignes non servies",
    "parked messages": "messages mis en attente",
    "oversold units": "unités survendues",
    "channel": "canal",
    "SKU": "référence",
    "left to sell": "reste à vendre",
    "Stocktide demo · {seconds:.0f} s": "Démo Stocktide · {seconds:.0f} s",
    "ordered at {channel}": "commandes sur {channel}",
    "told to {channel}": "publié vers {channel}",
    "from the event to the shop": "de l'événement à la boutique",
    "lowest stocks": "stocks les plus bas",
    "  oversold: {cause}": "  survente : {cause}",
    "{sales} store sales in {seconds:.1f} s, {movements} movements posted, {openings} openings "
    "before them.": (
        "{sales} ventes en magasin en {seconds:.1f} s, {movements} mouvements comptabilisés, "
        "précédés de {openings} stocks d'ouverture."
    ),
    "Published: {items}. Propagation p50 {p50} ms, p99 {p99} ms, max {max} ms.": (
        "Publié : {items}. Propagation p50 {p50} ms, p99 {p99} ms, max {max} ms."
    ),
    "{orders} orders of {units} units, {refused} refused by the shops as sold out, {returns} "
    "returns; {short_picks} picks found too little, {short_lines} lines are short.": (
        "{orders} commandes pour {units} unités, {refused} refusées par les boutiques pour "
        "rupture, {returns} retours ; {short_picks} préparations ont trouvé trop peu, "
        "{short_lines} lignes ne sont pas servies."
    ),
    "{sold_out} listings sold out, {lost} units asked for in vain at tills, {oversold} "
    "oversold in shops, {parked} parked.": (
        "{sold_out} annonces en rupture, {lost} unités demandées en vain en caisse, {oversold} "
        "survendues en ligne, {parked} messages en attente."
    ),
    "  … and {more} more, in the report": "  … et {more} de plus, dans le rapport",
    "{order} {sku}: {units} short, {cause}": "{order} {sku} : {units} en moins, {cause}",
    "its units lay in several places and lines are not split": (
        "ses unités étaient en plusieurs lieux, et les lignes ne sont pas divisées"
    ),
    "a till had sold it {seconds:.1f} s before, while the order was on its way": (
        "une caisse l'avait vendu {seconds:.1f} s avant, la commande étant en route"
    ),
    "another order had taken it {seconds:.1f} s before": (
        "une autre commande l'avait pris {seconds:.1f} s avant"
    ),
    "the shop showed what was sold longer ago: a figure came late": (
        "la boutique montrait ce qui était vendu depuis plus longtemps : un chiffre est venu tard"
    ),
    "holds": "tenu",
    "BROKEN": "ROMPU",
    "The demo's sales ({source}) are not installed.": (
        "Les ventes de la démo ({source}) ne sont pas installées."
    ),
    "Install them into this environment: `uv pip install 'stocktide[demo]'`, or use `make demo`.": (
        "Installez-les dans cet environnement : `uv pip install 'stocktide[demo]'`, ou "
        "utilisez `make demo`."
    ),
    "The demo's sales cannot be read from {folder}: {error}.": (
        "Les ventes de la démo ne peuvent pas être lues dans {folder} : {error}."
    ),
    "Install {source} again.": "Réinstallez {source}.",
    "The replay has ended; waiting until everything is quiet.": (
        "La relecture est terminée ; attente du calme."
    ),
    "Report: {report}": "Rapport : {report}",
    "{path} cannot be read as the Online Retail file: {why}.": (
        "{path} ne peut pas être lu comme fichier Online Retail : {why}."
    ),
    "It is a CSV (.csv, .csv.gz) or .xlsx with the columns {join}, …": (
        "C'est un CSV (.csv, .csv.gz) ou un .xlsx avec les colonnes {join}, …"
    ),
    "{what} did not come to rest: {told} still waiting.": (
        "Pas de retour au calme ({what}) : {told} encore en attente."
    ),
    "Read the logs with `stocktide logs`; a busy machine may need another try.": (
        "Lisez les journaux avec `stocktide logs` ; sur une machine chargée, réessayez."
    ),
    "The marketplace's clock runs {marketplace_speed:.0f} times as fast as usual.": (
        "L'horloge de la place de marché va {marketplace_speed:.0f} fois plus vite que d'ordinaire."
    ),
    "{variables} name servers that this command did not start, and it would delete what "
    "Stocktide keeps there.": (
        "{variables} désignent des serveurs que cette commande n'a pas démarrés, et elle "
        "effacerait ce que Stocktide y garde."
    ),
    "Unset them to have servers of its own, or say which database may be used up: --database "
    "{value}.": (
        "Retirez-les pour qu'elle ait ses propres serveurs, ou dites quelle base peut être "
        "vidée : --database {value}."
    ),
    "There is no run in {folder} to go on with.": (
        "Il n'y a dans {folder} aucune démo à poursuivre."
    ),
    "Leave --keep out.": "Omettez --keep.",
    "There is no source {name!r}.": "Il n'y a pas de source {name!r}.",
    "Write --source {source} FILE.": "Écrivez --source {source} FILE.",
    "There is no file {file}.": "Le fichier {file} n'existe pas.",
    "Name the file to replay.": "Indiquez le fichier à rejouer.",
    "Servers: {providers}.": "Serveurs : {providers}.",
    "--for {duration!r} is no length of time.": "--for {duration!r} n'est pas une durée.",
    "Write 60s, 5m or 1h.": "Écrivez 60s, 5m ou 1h.",
    "--speed {speed} makes no sense.": "--speed {speed} n'a pas de sens.",
    "Write a number such as 40000.": "Écrivez un nombre comme 40000.",
    "The report cannot be written to {path}: {strerror}.": (
        "Le rapport ne peut pas être écrit dans {path} : {strerror}."
    ),
    "Name another file with --report.": "Indiquez un autre fichier avec --report.",
    "{kind}, process {pid}: {providers}": "{kind}, processus {pid} : {providers}",
    "ready": "prêt",
    "not ready": "pas prêt",
    "processes": "processus",
    "messages not read yet": "messages pas encore lus",
    "none": "aucun",
    "There is no log of {value} in {folder}.": "Il n'y a pas de journal de {value} dans {folder}.",
    "stocktide {stocktide}, Python {python}": "stocktide {stocktide}, Python {python}",
    "The import is not settled after {value:.0f} hours.": (
        "L'import n'est pas terminé après {value:.0f} heures."
    ),
    "See `stocktide logs {catalog}`; importing the file again does no harm.": (
        "Voir `stocktide logs {catalog}` ; réimporter le fichier est sans danger."
    ),
    "{catalog} answered {status_code}: {detail}.": "{catalog} a répondu {status_code} : {detail}.",
    "{name}: {rows_read:,} rows read ({value})": "{name} : {rows_read:,} lignes lues ({value})",
    "{file} has {size:,} bytes; the catalog takes {most:,}.": (
        "{file} fait {size:,} octets ; le catalogue en accepte {most:,}."
    ),
    "Pack it (.csv.gz), cut it in parts, or raise {variable}.": (
        "Compressez-le (.csv.gz), découpez-le, ou relevez {variable}."
    ),
    "No kind is called {kind!r}.": "Aucun type ne s'appelle {kind!r}.",
    "Try again in a moment.": "Réessayez dans un instant.",
    "The file is no UTF-8; it was read as Windows-1252.": (
        "Le fichier n'est pas en UTF-8 ; il a été lu comme Windows-1252."
    ),
    "The other rows have entered.": "Les autres lignes ont été reprises.",
    "Everything has entered or stood there already.": "Tout a été repris ou s'y trouvait déjà.",
    "A dry run: nothing has entered.": "Essai à blanc : rien n'a été repris.",
    "Nothing has entered. {way_out}": "Rien n'a été repris. {way_out}",
    "Mend these rows and import the file again; with --partial the others enter without them.": (
        "Corrigez ces lignes et réimportez le fichier ; avec --partial, les autres sont "
        "reprises sans elles."
    ),
    "It failed: {why}.": "Échec : {why}.",
    "{file} cannot be read: {strerror}.": "{file} ne peut pas être lu : {strerror}.",
    "Name a CSV or Excel file.": "Indiquez un fichier CSV ou Excel.",
    "Look at it: `stocktide status`, `stocktide logs {catalog}`; importing the file again does "
    "no harm.": (
        "Regardez ce qu'il en est : `stocktide status`, `stocktide logs {catalog}` ; "
        "réimporter le fichier est sans danger."
    ),
    "see the log": "voir le journal",
    "refused": "refusées",
    "worth a look": "à vérifier",
    "not understood": "pas compris",
    "no rows": "aucune ligne",
    "ok": "ok",
    "look": "à voir",
    "NO": "NON",
    "doctor": "diagnostic",
    "embedded servers": "serveurs embarqués",
    "the demo's sales": "ventes de la démo",
    "Install the extra: uv pip install 'stocktide[{extra}]', or use `make demo`.": (
        "Installez le complément : uv pip install 'stocktide[{extra}]', ou utilisez `make demo`."
    ),
    "disk": "disque",
    "{free} MiB free at {there}": "{free} Mio libres dans {there}",
    "Free {least} MiB, or set STOCKTIDE_DATA to a folder that you may write.": (
        "Libérez {least} Mio, ou désignez par STOCKTIDE_DATA un dossier où vous pouvez écrire."
    ),
    "memory": "mémoire",
    "{free} MiB available": "{free} Mio disponibles",
    "The whole stack needs about {least} MiB: end something else.": (
        "L'ensemble demande environ {least} Mio : arrêtez autre chose."
    ),
    "Name a newer one: make PYTHON=/path/to/python3.12": (
        "Indiquez-en un plus récent : make PYTHON=/chemin/vers/python3.12"
    ),
    "Kafka's jars": "archives de Kafka",
    "The first start downloads about 100 MiB and needs the network; afterwards none.": (
        "Le premier démarrage télécharge environ 100 Mio et demande le réseau ; ensuite plus."
    ),
    "running stack": "instance en marche",
    "missing: {names}": "manque : {names}",
    "installed": "installé",
    "usual ports": "ports habituels",
    "Others will be taken; `stocktide status` shows which.": (
        "D'autres seront pris ; `stocktide status` dit lesquels."
    ),
    "all free": "tous libres",
    "Stopped; the data stays.": "Arrêté ; les données restent.",
    "Stopping.": "Arrêt en cours.",
    "Port {port} is taken, perhaps by a {name} that runs already (`stocktide status`).": (
        "Le port {port} est pris, peut-être par un {name} qui tourne déjà (`stocktide status`)."
    ),
    "Give this one another: {port_variable}={value} stocktide run {name}.": (
        "Donnez-en un autre à celui-ci : {port_variable}={value} stocktide run {name}."
    ),
    "Process {pid} does not end.": "Le processus {pid} ne s'arrête pas.",
    "Kill it: `kill -9 {pid}`; its children end with it.": (
        "Forcez l'arrêt : `kill -9 {pid}` ; ses enfants s'arrêtent avec lui."
    ),
    "data and logs": "données et journaux",
    "stop": "arrêter",
    "Ctrl-C, or `stocktide down` in another terminal": (
        "Ctrl-C, ou `stocktide down` dans un autre terminal"
    ),
    "created": "créé",
    "was there": "existait",
    "topics": "topics",
    "up to date": "à jour",
    "Removed the data in {folder}; downloads stay in the cache.": (
        "Données de {folder} supprimées ; les téléchargements restent en cache."
    ),
    "Removed Stocktide's schemas from {name}, its topics and its keys.": (
        "Schémas de Stocktide supprimés de {name}, ainsi que ses topics et ses clés."
    ),
    "There is nothing in {folder}.": "Il n'y a rien dans {folder}.",
    "Nothing was removed.": "Rien n'a été supprimé.",
    "Say so with `stocktide reset --yes`.": "Confirmez avec `stocktide reset --yes`.",
    "Only {variables} are given; the other servers are embedded.": (
        "Seuls {variables} sont donnés ; les autres serveurs sont embarqués."
    ),
    "Give all three, or none, to say which data is meant.": (
        "Donnez les trois, ou aucun, pour dire de quelles données il s'agit."
    ),
    "{variables} name servers that `stocktide` did not start.": (
        "{variables} désignent des serveurs que `stocktide` n'a pas démarrés."
    ),
    "Say which database may lose its Stocktide schemas: --database {name}.": (
        "Dites quelle base peut perdre ses schémas Stocktide : --database {name}."
    ),
    "Remove all data in {folder}?": "Supprimer toutes les données de {folder} ?",
    "Published {outgoing} events.": "Événements publiés : {outgoing}.",
    "{file}: {problems} of {value} events are not as the contracts say; nothing was sent.\n  "
    "{shown}\n ": (
        "{file} : {problems} événements sur {value} ne respectent pas les contrats ; rien n'a "
        "été envoyé.\n  {shown}\n "
    ),
    "docs/topics tell the contracts; mend the file and publish it again.": (
        "docs/topics donne les contrats ; corrigez le fichier et publiez-le à nouveau."
    ),
    "{file} holds no event.": "{file} ne contient aucun événement.",
    "Give at least one.": "Donnez-en au moins un.",
    "{file} is larger than {value} MiB.": "{file} dépasse {value} Mio.",
    "Publish it in parts.": "Publiez-le en plusieurs parties.",
    "Name a file, or - for stdin.": "Indiquez un fichier, ou - pour l'entrée standard.",
    "{file} is no JSON: {error}.": "{file} n'est pas du JSON : {error}.",
    "Write CloudEvents in JSON.": "Écrivez des CloudEvents en JSON.",
    "settings": "paramètres",
    "Unknown: {name}. Correct or remove it.": "Inconnu : {name}. Corrigez-le ou retirez-le.",
    "unknown": "inconnu",
    "{age:.1f} s ago": "il y a {age:.1f} s",
    "{told} (stale)": "{told} (périmé)",
}
FRENCH: Final = COMMON | ASKING | IMPORTING
