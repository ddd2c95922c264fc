"""`stocktide demo`: what is asked for, what may be used up for it, and servers for a run."""

import asyncio
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from services.cli.console import say
from services.cli.demo import keeping, sales
from services.cli.demo.report import require_writable
from services.cli.demo.run import Demo, Options
from services.cli.exits import CommandError, Exit
from services.cli.stack import infrastructure_for, refuse_second
from services.cli.state import DEMO_FOLDER
from shared.runtime.infrastructure import described, started, wipe
from shared.runtime.settings import StackSettings

DURATION = re.compile(r"^(\d+(?:\.\d+)?)(s|m|h)?$")
SECONDS = {"s": 1, "m": 60, "h": 3600, None: 1}


def seconds_of(duration: str) -> float:
    """`60s`, `5m`, `90` (seconds). Raises CommandError for anything else, and for nothing."""
    match = DURATION.match(duration.strip())
    seconds = float(match[1]) * SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise CommandError(
            f"--for {duration!r} is no length of time.", "Write 60s, 5m or 1h.", Exit.USAGE
        )
    return seconds


def require_ours(settings: StackSettings, database: str | None) -> None:
    """The demo uses up what it runs on: servers that it doesn't start need the database's name.

    Raises CommandError.
    """
    given = [name for name in ("kafka", "postgres", "redis") if getattr(settings, name)]
    if not given:
        return
    dsn = settings.postgres.get_secret_value() if settings.postgres else ""
    name = urlsplit(dsn).path.lstrip("/") if dsn else None
    if database is None or (name is not None and database != name):
        variables = ", ".join(f"STOCKTIDE_{one.upper()}" for one in given)
        raise CommandError(
            f"{variables} name servers that this command did not start, and it would delete what "
            "Stocktide keeps there.",
            f"Unset them to have servers of its own, or say which database may be used up: "
            f"--database {name or 'NAME'}.",
            Exit.REFUSED,
        )


def run_demo(
    duration: str | None, report: str | None, database: str | None, *, speed: float, keep: bool
) -> Exit:
    """One run from servers to verdict. Raises CommandError, InfrastructureError."""
    began = time.monotonic()
    options = Options(
        seconds=None if duration is None else seconds_of(duration),
        report=None if report is None else Path(report).absolute(),
        speed=_positive(speed),
        keep=keep,
        began=began,
    )
    if options.report is not None:
        require_writable(options.report)
    settings = StackSettings()
    require_ours(settings, database)
    folder = settings.data.absolute() / DEMO_FOLDER
    refuse_second(folder)
    package = sales.package_folder()
    if not keeping.read(folder).is_open and keep:
        raise CommandError(
            f"There is no run in {folder} to go on with.", "Leave --keep out.", Exit.REFUSED
        )
    if not keep:
        wipe(folder)
        keeping.forget(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    infrastructure = infrastructure_for(settings, folder)
    with ThreadPoolExecutor(1) as loader:  # a second of reading, while the servers start
        loading = loader.submit(sales.load, package)
        with started(infrastructure, say) as addresses:
            say(f"Servers: {described(infrastructure.providers)}.")
            demo = Demo(options, folder, addresses, infrastructure.providers)
            return asyncio.run(demo.run(loading.result()))


def _positive(speed: float) -> float:
    if not 0 < speed <= 10_000_000:
        raise CommandError(
            f"--speed {speed} makes no sense.", "Write a number such as 40000.", Exit.USAGE
        )
    return speed
