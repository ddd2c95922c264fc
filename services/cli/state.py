"""What a running stack says of itself on disk, for the commands of other terminals to read."""

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.cli.exits import CommandError, Exit
from services.cli.texts import tr
from shared.runtime.infrastructure.interface import Addresses, Providers
from shared.runtime.infrastructure.processes import ProcessRecord, is_alive, record_of

FILE = "stack.json"
# The demo keeps its data apart, so that a new run never costs anybody theirs.
DEMO_FOLDER = "demo"
LOGS_FOLDER = "logs"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessState:
    """One supervised process; `port` is None where it answers no HTTP."""

    pid: int | None
    port: int | None
    restarts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StackState:
    """Who runs the stack, where its servers are (with passwords: the file is its owner's alone),
    and how its processes are.
    """

    kind: str
    supervisor: ProcessRecord
    providers: Providers
    addresses: Addresses = field(repr=False)
    processes: Mapping[str, ProcessState]

    def port_of(self, name: str) -> int:
        """The HTTP port of a process. Raises CommandError when it isn't part of this stack."""
        found = self.processes.get(name)
        if found is None or found.port is None:
            raise CommandError(
                tr("The running stack has no {name}.", name=name),
                tr(
                    "Start it beside the others: `stocktide up` without names, or `stocktide "
                    "run {name}`.",
                    name=name,
                ),
                Exit.NOT_RUNNING,
            )
        return found.port


def write_state(folder: Path, state: StackState) -> None:
    """Replace the file at once, so that a reader never sees half of it."""
    fresh = folder / f".{FILE}.{os.getpid()}"
    number = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(number, "w") as file:
        json.dump(asdict(state), file)
    fresh.replace(folder / FILE)


def remove_state(folder: Path) -> None:
    """The stack has ended."""
    (folder / FILE).unlink(missing_ok=True)


def read_state(folder: Path) -> StackState | None:
    """The stack that runs in this folder; None when none does, whatever a dead one left."""
    try:
        content = json.loads((folder / FILE).read_text())
        state = StackState(
            kind=content["kind"],
            supervisor=ProcessRecord(**content["supervisor"]),
            providers=content["providers"],
            addresses=Addresses(**content["addresses"]),
            processes={n: ProcessState(**p) for n, p in content["processes"].items()},
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return state if is_alive(state.supervisor) else None


def running_folder(data: Path) -> Path | None:
    """Where a stack runs: the data folder itself, or the demo's below it."""
    for folder in (data, data / DEMO_FOLDER):
        if read_state(folder) is not None:
            return folder
    return None


def running_stack(data: Path) -> StackState:
    """The stack that another process runs. Raises CommandError when none does."""
    folder = running_folder(data)
    state = None if folder is None else read_state(folder)
    if state is None:
        raise CommandError(
            tr("No stack runs in {data}.", data=data),
            tr(
                "Start one with `stocktide up` or `stocktide demo`, or name its folder with "
                "STOCKTIDE_DATA."
            ),
            Exit.NOT_RUNNING,
        )
    return state


def own_record() -> ProcessRecord:
    """The record of this process."""
    record = record_of(os.getpid())
    assert record is not None, "we are alive"
    return record
