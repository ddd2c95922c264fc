"""`stocktide demo`: what is asked for, what may be used up for it, and servers for a run."""

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

from services.cli.console import say
from services.cli.demo import baskets, invoices, keeping, online_retail, sales
from services.cli.demo.course import Options
from services.cli.demo.report import require_writable
from services.cli.demo.run import Demo
from services.cli.demo.scenario import Scenario
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
    duration: str | None,
    report: str | None,
    database: str | None,
    *,
    source: tuple[str, str] | None,
    speed: float | None,
    keep: bool,
) -> Exit:
    """One run from servers to verdict. Raises CommandError, InfrastructureError."""
    began = time.monotonic()
    options = Options(
        source=sales.SOURCE if source is None else online_retail.SOURCE,
        seconds=None if duration is None else seconds_of(duration),
        report=None if report is None else Path(report).absolute(),
        speed=_positive(speed or (baskets.SPEED if source is None else invoices.SPEED)),
        keep=keep,
        began=began,
    )
    if options.report is not None:
        require_writable(options.report)
    settings = StackSettings()
    require_ours(settings, database)
    folder = settings.data.absolute() / DEMO_FOLDER
    refuse_second(folder)
    prepare = _source(source)
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
        loading = loader.submit(prepare)
        with started(infrastructure, say) as addresses:
            say(f"Servers: {described(infrastructure.providers)}.")
            demo = Demo(options, folder, addresses, infrastructure.providers)
            scenario = loading.result()
            for line in scenario.notes:
                say(line)
            return asyncio.run(demo.run(scenario))


def _source(source: tuple[str, str] | None) -> Callable[[], Scenario]:
    """What reads the source. Raises CommandError at once where there is nothing to read."""
    if source is None:
        package = sales.package_folder()
        return lambda: baskets.Baskets(sales.load(package))
    name, file = source
    path = Path(file)
    if name != online_retail.SOURCE:
        raise CommandError(
            f"There is no source {name!r}.", f"Write --source {online_retail.SOURCE} FILE.",
            Exit.USAGE,
        )  # fmt: skip
    if not path.is_file():
        raise CommandError(f"There is no file {file}.", "Name the file to replay.", Exit.USAGE)
    return lambda: invoices.Invoices(online_retail.load(path))


def _positive(speed: float) -> float:
    if not 0 < speed <= 10_000_000:
        raise CommandError(
            f"--speed {speed} makes no sense.", "Write a number such as 40000.", Exit.USAGE
        )
    return speed
