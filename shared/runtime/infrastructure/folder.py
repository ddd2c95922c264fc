"""The data folder of one embedded stack: its lock, what runs in it, and its removal."""

import fcntl
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from shared.runtime.infrastructure.interface import InfrastructureError, Part
from shared.runtime.infrastructure.processes import ProcessRecord, end, end_all_in

FREE_BYTES_MIN = 500 * 1024 * 1024
# What a stack writes into its folder; `wipe` removes these and nothing else.
SERVER_FOLDERS = ("kafka", "postgres", "valkey", "logs", "cache")
MOVED = "moved"  # a link to where PostgreSQL's data went
LOCK, STATE, PORTS = "guardian.lock", "servers.json", "ports.json"

Stage = Literal["starting", "ready", "stopping"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What the guardian says of itself and its servers, for other processes to read."""

    stage: Stage
    guardian: ProcessRecord
    parent: ProcessRecord
    servers: Mapping[str, ProcessRecord] = field(default_factory=dict)
    addresses: Mapping[Part, str] = field(default_factory=dict, repr=False)


class DataFolder:
    """Paths and files of one stack. Creating the value touches nothing."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def open(self) -> None:
        """Make the folder, private to its owner. Raises InfrastructureError with the way out."""
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            (self.path / "logs").mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise InfrastructureError(
                f"The data folder {self.path} cannot be made: {error.strerror}. "
                "Name one that you may write to with STOCKTIDE_DATA."
            ) from error
        if not os.access(self.path, os.R_OK | os.W_OK | os.X_OK):
            raise InfrastructureError(
                f"The data folder {self.path} belongs to user {self.path.stat().st_uid}. Run as "
                "that user, give the folder to yours, or name another one with STOCKTIDE_DATA."
            )
        free = shutil.disk_usage(self.path).free
        if free < FREE_BYTES_MIN:
            raise InfrastructureError(
                f"Only {free // 2**20} MiB are free where {self.path} lies; the embedded servers "
                f"need {FREE_BYTES_MIN // 2**20}. Free some, or set STOCKTIDE_DATA to another disk."
            )

    def log(self, name: str) -> Path:
        """The log file of one server or of the guardian."""
        return self.path / "logs" / f"{name}.log"

    def lock(self) -> int | None:
        """Take the folder for this process's life; None while another process has it.

        The kernel gives the lock back however the holder ends: a left-over file means nothing.
        """
        number = os.open(self.path / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(number)
            return None
        return number

    def write_state(self, state: State) -> None:
        """Replace the state file at once; it holds a password, so only its owner may read it."""
        _replace(self.path / STATE, json.dumps(asdict(state)))

    def read_state(self) -> State | None:
        """What was last written, whoever wrote it; None if nothing (or nothing whole) is there."""
        content = _read(self.path / STATE)
        try:
            return State(
                stage=content["stage"],
                guardian=ProcessRecord(**content["guardian"]),
                parent=ProcessRecord(**content["parent"]),
                servers={n: ProcessRecord(**r) for n, r in content["servers"].items()},
                addresses=content["addresses"],
            )
        except (KeyError, TypeError, AttributeError):
            return None

    def write_ports(self, ports: Mapping[str, int]) -> None:
        """Remember the ports for the next start."""
        _replace(self.path / PORTS, json.dumps(dict(ports)))

    def read_ports(self) -> dict[str, int]:
        """The ports of the last start; empty if unknown."""
        found = _read(self.path / PORTS)
        return {name: port for name, port in found.items() if isinstance(port, int)}

    def end_leftovers(self) -> None:
        """End servers of an earlier guardian that was killed. Only the lock's holder may."""
        state = self.read_state()
        for record in state.servers.values() if state else ():
            end(record)
        end_all_in(self.postgres_home() / "data")

    def postgres_home(self) -> Path:
        """Where PostgreSQL's data is: here, or where a user without rights may enter."""
        moved = self.path / "postgres" / MOVED
        return moved.resolve() if moved.is_symlink() else self.path / "postgres"

    def wipe(self) -> None:
        """Remove all data. Raises InfrastructureError while a stack runs there."""
        if not self.path.exists():
            return
        lock = self.lock()
        if lock is None:
            raise InfrastructureError(f"{self.in_use()} Its data cannot be removed meanwhile.")
        try:
            self.end_leftovers()
            for entry in (self.postgres_home(), *(self.path / name for name in SERVER_FOLDERS)):
                if entry.exists():
                    shutil.rmtree(entry)
            for name in (STATE, PORTS):
                (self.path / name).unlink(missing_ok=True)
        finally:
            os.close(lock)

    def in_use(self) -> str:
        """A sentence that names who holds the folder, and the way out."""
        state = self.read_state()
        holder = f"process {state.parent.pid} (guardian {state.guardian.pid})" if state else "?"
        return (
            f"The data folder {self.path} is in use by {holder}. Stop that one first "
            "(`stocktide down`), or name another folder with STOCKTIDE_DATA."
        )


def _read(path: Path) -> dict[str, Any]:
    """The object in a JSON file; empty if it is absent, torn or something else."""
    try:
        content = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _replace(path: Path, content: str) -> None:
    """Write beside and rename, so that a reader never sees half a file."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(content)
    fresh.replace(path)
