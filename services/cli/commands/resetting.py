"""`reset`: remove a stack's data, and never anybody else's."""

import asyncio
import shutil
import sys
from urllib.parse import urlsplit

from services.cli.console import say
from services.cli.exits import CommandError, Exit
from services.cli.servers import refuse_second
from services.cli.state import DEMO_FOLDER
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
        say(f"There is nothing in {folder}.")
        return Exit.OK
    if not confirmed and not _agreed(f"Remove all data in {folder}?"):
        raise CommandError(
            "Nothing was removed.", "Say so with `stocktide reset --yes`.", Exit.REFUSED
        )
    demo = folder / DEMO_FOLDER
    if demo.exists():
        wipe(demo)
        shutil.rmtree(demo)
    wipe(folder)
    say(f"Removed the data in {folder}; downloads stay in the cache.")
    return Exit.OK


def _use_up_given(settings: StackSettings, given: list[str], database: str | None) -> None:
    from services.cli.demo.reopening import use_up

    variables = ", ".join(f"STOCKTIDE_{name.upper()}" for name in given)
    if not (settings.kafka and settings.postgres and settings.redis):
        raise CommandError(
            f"Only {variables} are given; the other servers are embedded.",
            "Give all three, or none, to say which data is meant.",
            Exit.REFUSED,
        )
    dsn = settings.postgres.get_secret_value()
    name = urlsplit(dsn).path.lstrip("/")
    if database != name:
        raise CommandError(
            f"{variables} name servers that `stocktide` did not start.",
            f"Say which database may lose its Stocktide schemas: --database {name}.",
            Exit.REFUSED,
        )
    redis = settings.redis.get_secret_value()
    asyncio.run(use_up(Addresses(kafka=settings.kafka, postgres=dsn, redis=redis)))
    say(f"Removed Stocktide's schemas from {name}, its topics and its keys.")


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        return False
    sys.stdout.write(f"{question} [y/N] ")
    sys.stdout.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
