"""`stocktide demo`: what is asked for, what may be used up for it, and servers for a run."""

import asyncio
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from services.cli.console import say
from services.cli.demo import keeping, online_retail, sales
from services.cli.demo.options import Options, require_speed, require_writable, seconds_of
from services.cli.exits import CommandError, Exit
from services.cli.servers import infrastructure_for, refuse_second
from services.cli.spawning import Nursery
from services.cli.state import DEMO_FOLDER, LOGS_FOLDER
from services.cli.texts import tr
from shared.runtime.infrastructure import described, started, wipe
from shared.runtime.settings import StackSettings

if TYPE_CHECKING:
    from services.cli.demo.scenario import Scenario

# What has read its source: the scenario, and the speed that suits it.
Prepared = tuple["Scenario", float]


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
            tr(
                "{variables} name servers that this command did not start, and it would delete "
                "what Stocktide keeps there.",
                variables=variables,
            ),
            tr(
                "Unset them to have servers of its own, or say which database may be used up: "
                "--database {value}.",
                value=name or "NAME",
            ),
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
    seconds = None if duration is None else seconds_of(duration)
    file = None if report is None else Path(report).absolute()
    if file is not None:
        require_writable(file)
    if speed is not None:
        require_speed(speed)
    settings = StackSettings()
    require_ours(settings, database)
    folder = settings.data.absolute() / DEMO_FOLDER
    refuse_second(folder)
    prepare = _source(source)
    if not keeping.read(folder).is_open and keep:
        raise CommandError(
            tr("There is no run in {folder} to go on with.", folder=folder),
            tr("Leave --keep out."),
            Exit.REFUSED,
        )
    if not keep:
        wipe(folder)
        keeping.forget(folder)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    infrastructure = infrastructure_for(settings, folder)
    # Seconds of importing and reading, while the servers start.
    with ThreadPoolExecutor(1) as loader, Nursery(folder / LOGS_FOLDER) as nursery:
        loading = loader.submit(prepare)
        with started(infrastructure, say) as addresses:
            say(tr("Servers: {providers}.", providers=described(infrastructure.providers)))
            scenario, usual_speed = loading.result()
            for line in scenario.notes:
                say(line)
            options = Options(
                source=sales.SOURCE if source is None else online_retail.SOURCE,
                seconds=seconds, report=file, speed=speed or usual_speed, keep=keep, began=began,
            )  # fmt: skip
            from services.cli.demo.run import Demo

            demo = Demo(options, folder, addresses, infrastructure.providers, nursery.start)
            return asyncio.run(demo.run(scenario))


def _source(source: tuple[str, str] | None) -> Callable[[], Prepared]:
    """What reads the source. Raises CommandError at once where there is nothing to read."""
    if source is None:
        package = sales.package_folder()
        return lambda: _read_baskets(package)
    name, file = source
    path = Path(file)
    if name != online_retail.SOURCE:
        raise CommandError(
            tr("There is no source {name!r}.", name=name),
            tr("Write --source {source} FILE.", source=online_retail.SOURCE),
            Exit.USAGE,
        )
    if not path.is_file():
        raise CommandError(
            tr("There is no file {file}.", file=file), tr("Name the file to replay."), Exit.USAGE
        )
    return lambda: _read_invoices(path)


def _read_baskets(package: Path) -> Prepared:
    from services.cli.demo import baskets, run  # noqa: F401  (what comes next, imported meanwhile)

    return baskets.Baskets(sales.load(package)), baskets.SPEED


def _read_invoices(path: Path) -> Prepared:
    from services.cli.demo import invoices, run  # noqa: F401  (as above)

    return invoices.Invoices(online_retail.load(path)), invoices.SPEED
