"""`reset`: remove a stack's data, and never anybody else's."""

import asyncio
import shutil
import sys
from urllib.parse import urlsplit

from services.cli.console import say
from services.cli.exits import CommandError, Exit
from services.cli.servers import refuse_second
from services.cli.state import DEMO_FOLDER
from services.cli.texts import tr
from shared.runtime.infrastructure import Addresses, wipe
from shared.runtime.settings import StackSettings


def reset_data(database: str | None, *, confirmed: bool) -> Exit:
    """Wipe embedded data; on given servers, only with the database's name. Raises CommandError."""
    settings = StackSettings()
    folder = settings.data.absolute()
    for one in (folder, folder / DEMO_FOLDER):
        refuse_second(one)
    given = [name for name in ("kafka", "postgres", "redis") if getattr(settings, name)]
    if given:
        _use_up_given(settings, given, database)
        return Exit.OK
    if not folder.exists():
        say(tr("There is nothing in {folder}.", folder=folder))
        return Exit.OK
    if not confirmed and not _agreed(tr("Remove all data in {folder}?", folder=folder)):
        raise CommandError(
            tr("Nothing was removed."), tr("Say so with `stocktide reset --yes`."), Exit.REFUSED
        )
    demo = folder / DEMO_FOLDER
    if demo.exists():
        wipe(demo)
        shutil.rmtree(demo)
    wipe(folder)
    say(tr("Removed the data in {folder}; downloads stay in the cache.", folder=folder))
    return Exit.OK


def _use_up_given(settings: StackSettings, given: list[str], database: str | None) -> None:
    from services.cli.demo.reopening import use_up

    variables = ", ".join(f"STOCKTIDE_{name.upper()}" for name in given)
    if not (settings.kafka and settings.postgres and settings.redis):
        raise CommandError(
            tr("Only {variables} are given; the other servers are embedded.", variables=variables),
            tr("Give all three, or none, to say which data is meant."),
            Exit.REFUSED,
        )
    dsn = settings.postgres.get_secret_value()
    name = urlsplit(dsn).path.lstrip("/")
    if database != name:
        raise CommandError(
            tr("{variables} name servers that `stocktide` did not start.", variables=variables),
            tr("Say which database may lose its Stocktide schemas: --database {name}.", name=name),
            Exit.REFUSED,
        )
    redis = settings.redis.get_secret_value()
    asyncio.run(use_up(Addresses(kafka=settings.kafka, postgres=dsn, redis=redis)))
    say(tr("Removed Stocktide's schemas from {name}, its topics and its keys.", name=name))


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
