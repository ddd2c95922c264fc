"""`status`, `logs` and `version`: what runs, what it says, what it is."""

import asyncio
import sys
import time
from collections import deque
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from services.cli.asking import here
from services.cli.console import console, print_json, print_table, say
from services.cli.exits import CommandError, Exit
from services.cli.repository import positions
from services.cli.spawning import Child
from services.cli.state import LOGS_FOLDER, StackState, running_folder
from services.cli.supervisor import is_ready
from services.cli.texts import tr
from shared.postgres.connecting import connect
from shared.runtime.infrastructure import described
from shared.runtime.settings import StackSettings

FOLLOW_SECONDS = 0.3
PARTS = ("stocktide", "aiokafka", "asyncpg", "redis", "pydantic", "fastapi", "faust-streaming")


def show_status(*, as_json: bool) -> Exit:
    """Processes with port, readiness and lag. Raises CommandError when no stack runs."""
    state = here()
    ready, lags = asyncio.run(_look(state))
    rows = [
        {
            "process": name,
            "pid": process.pid,
            "port": process.port,
            "ready": ready.get(name),
            "restarts": process.restarts,
        }
        for name, process in state.processes.items()
    ]
    if as_json:
        print_json(
            {
                "kind": state.kind,
                "supervisor": state.supervisor.pid,
                "providers": dict(state.providers),
                "processes": rows,
                "lag": lags,
            }
        )
    else:
        say(
            tr(
                "{kind}, process {pid}: {providers}",
                kind=state.kind,
                pid=state.supervisor.pid,
                providers=described(state.providers),
            )
        )
        words = {True: tr("ready"), False: tr("not ready"), None: "–"}
        print_table(
            tr("processes"),
            ("process", "pid", "port", "state", "restarts"),
            [(r["process"], r["pid"], r["port"], words[ready.get(str(r["process"]))], r["restarts"])
             for r in rows],
        )  # fmt: skip
        print_table(tr("messages not read yet"), ("service", "lag"), list(lags.items()))
    return Exit.OK if all(ready.values()) else Exit.NOT_RUNNING


async def _look(state: StackState) -> tuple[dict[str, bool], dict[str, int]]:
    children = [
        Child(name=name, target="-", port=process.port, probe=_probe(name))
        for name, process in state.processes.items()
        if process.port is not None
    ]
    answers = await asyncio.gather(*map(is_ready, children))
    return dict(zip((c.name for c in children), answers, strict=True)), await _lags(state)


def _probe(name: str) -> str:
    return "/_control/health" if name.startswith("shop-") else "/readyz"


async def _lags(state: StackState) -> dict[str, int]:
    """Messages between each service's positions and the ends of its logs."""
    from services.cli.demo.kafka_reading import end_offsets
    from services.cli.migrating import schemas

    found: dict[str, int] = {}
    connection = await connect(state.addresses.postgres, application="stocktide-status")
    try:
        for schema in schemas():
            held = await positions(connection, schema)
            ends = await end_offsets(state.addresses.kafka, {topic for topic, _ in held})
            found[schema] = sum(max(0, ends.get(key, 0) - at) for key, at in held.items())
    finally:
        await connection.close(timeout=5)
    return found


def show_logs(service: str | None, *, follow: bool, lines: int) -> Exit:
    """The last lines of one log or of all, then what is added. Raises CommandError."""
    data = StackSettings().data.absolute()
    folder = (running_folder(data) or data) / LOGS_FOLDER
    paths = sorted(folder.glob(f"{service or '*'}.log"))
    if not paths:
        names = ", ".join(sorted(path.stem for path in folder.glob("*.log"))) or tr("none")
        raise CommandError(
            tr(
                "There is no log of {value} in {folder}.",
                value=service or tr("anything"),
                folder=folder,
            ),
            tr("There are: {names}.", names=names),
            Exit.NOT_FOUND,
        )
    places: dict[Path, int] = {}
    for path in paths:
        with path.open(errors="replace") as file:
            for line in deque(file, maxlen=lines):
                _print_line(path, line, alone=service is not None)
            places[path] = file.tell()
    while follow:
        time.sleep(FOLLOW_SECONDS)
        for path, place in places.items():
            places[path] = _print_new(path, place, alone=service is not None)
    return Exit.OK


def _print_new(path: Path, place: int, *, alone: bool) -> int:
    if path.stat().st_size < place:  # it was begun anew
        place = 0
    with path.open(errors="replace") as file:
        file.seek(place)
        for line in file:
            _print_line(path, line, alone=alone)
        return file.tell()


def _print_line(path: Path, line: str, *, alone: bool) -> None:
    prefix = "" if alone else f"{path.stem}: "
    console().print(f"{prefix}{line.rstrip()}", markup=False, soft_wrap=True)


def show_version(*, as_json: bool) -> Exit:
    """Stocktide's version, Python's, and those of what matters most."""
    found: dict[str, str | None] = {"python": sys.version.split()[0]}
    for name in PARTS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    if as_json:
        print_json(found)
    else:
        say(
            tr(
                "stocktide {stocktide}, Python {python}",
                stocktide=found["stocktide"],
                python=found["python"],
            )
        )
        others = [f"{name} {found[name]}" for name in PARTS[1:]]
        say(", ".join(others))
    return Exit.OK
