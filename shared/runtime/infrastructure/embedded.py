"""Embedded servers seen from the program that wants them: start, stop, attach, wipe."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO

from shared.runtime.infrastructure.folder import DataFolder, State
from shared.runtime.infrastructure.interface import (
    PARTS,
    Addresses,
    InfrastructureError,
    Part,
    Progress,
    Providers,
    addresses_of,
    silent,
)
from shared.runtime.infrastructure.processes import is_alive

ROOT = Path(__file__).parents[3]
STOP_SECONDS = 35.0
ORDERLY: Mapping[Part, signal.Signals] = {
    "kafka": signal.SIGTERM,
    "postgres": signal.SIGINT,
    "redis": signal.SIGTERM,
}


class Embedded:
    """The servers of one data folder, for the life of this process.

    They end when this process ends, however it does. `given` are the addresses of the parts that
    others serve; they are handed through. `cache` is the folder of downloads.
    """

    def __init__(
        self,
        data_folder: Path,
        *,
        cache: Path | None = None,
        given: Mapping[Part, str] | None = None,
    ) -> None:
        self._given = dict(given or {})
        self._folder = DataFolder(data_folder)
        self._cache = cache
        self._guardian: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return "given + embedded" if self._given else "embedded"

    @property
    def providers(self) -> Providers:
        return {part: "given" if part in self._given else "embedded" for part in PARTS}

    def start(self, progress: Progress = silent) -> Addresses:
        """Start the guardian and wait until all its servers answer.

        Raises InfrastructureError; nothing is left running then.
        """
        assert self._guardian is None, "started already"
        self._folder.open()
        order = {
            "folder": str(self._folder.path),
            "cache": str(cache_folder(self._cache, self._folder.path)),
            "given": self._given,
        }
        with self._folder.log("guardian").open("ab") as output:
            self._guardian = subprocess.Popen(
                [sys.executable, "-m", "shared.runtime.infrastructure.guardian"],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=output,
                cwd=self._folder.path, start_new_session=True,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            )  # fmt: skip
        stdin, stdout = self._guardian.stdin, self._guardian.stdout
        assert stdin is not None, "it is a pipe"
        assert stdout is not None, "it is a pipe"
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
            return addresses_of(self._listen(stdout, progress))
        except BaseException:  # also a Ctrl-C while we wait: nothing may be left running
            self.stop()
            raise

    def _listen(self, messages: IO[bytes], progress: Progress) -> dict[Part, str]:
        for line in messages:
            message = json.loads(line)
            if "progress" in message:
                progress(message["progress"])
            elif "error" in message:
                raise InfrastructureError(message["error"])
            elif "ready" in message:
                return dict(message["ready"])
        raise InfrastructureError(
            f"The guardian of the embedded servers ended at its start. See "
            f"{self._folder.log('guardian')}."
        )

    def stop(self) -> None:
        """Stop the servers in order, keeping their data. Returns when they have ended."""
        guardian, self._guardian = self._guardian, None
        if guardian is None:
            return
        for pipe in (guardian.stdin, guardian.stdout):
            assert pipe is not None, "both are pipes"
            with suppress(OSError):
                pipe.close()
        try:
            guardian.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            guardian.kill()  # the kernel ends the servers with it
            guardian.wait()

    def is_running(self) -> bool:
        """Whether the guardian still lives; it gives up when a server does not last."""
        return self._guardian is not None and self._guardian.poll() is None

    def pid(self, part: Part) -> int:
        """The process of one server now; changes when it is restarted."""
        state = self._folder.read_state()
        assert state is not None, "start() comes first"
        return state.servers[part].pid

    def kill(self, part: Part) -> None:
        """End one server at once, as a crash would. The guardian restarts it on its port."""
        os.kill(self.pid(part), signal.SIGKILL)

    def restart(self, part: Part) -> None:
        """End one server in order. The guardian restarts it, with its data and on its port."""
        os.kill(self.pid(part), ORDERLY[part])


def cache_folder(wanted: Path | None, data_folder: Path) -> Path:
    """Where downloads are kept: what was asked for, the user's cache, else inside the data."""
    named = wanted or os.environ.get("STOCKTIDE_CACHE")
    if named:
        return Path(named).absolute()
    home = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    folder = Path(home) / "stocktide"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder.absolute()
    except OSError:
        pass
    return data_folder / "cache"


def _running_state(data_folder: Path) -> State | None:
    state = DataFolder(data_folder).read_state()
    if state is None or state.stage != "ready" or not is_alive(state.guardian):
        return None
    return state


def running(data_folder: Path) -> Addresses | None:
    """Where the stack that runs in this folder is; None if none is ready there."""
    state = _running_state(data_folder)
    return None if state is None else addresses_of(state.addresses)


def attach(data_folder: Path) -> Addresses:
    """The addresses of the stack that another process started there.

    Raises InfrastructureError when none runs.
    """
    found = running(data_folder)
    if found is None:
        raise InfrastructureError(
            f"No stack runs in {data_folder}. Start one (`stocktide up`), or name the right folder "
            "with STOCKTIDE_DATA."
        )
    return found


def stop_running(data_folder: Path) -> bool:
    """Stop the servers that another process started there; False if none ran."""
    state = DataFolder(data_folder).read_state()
    if state is None or not is_alive(state.guardian):
        return False
    os.kill(state.guardian.pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while is_alive(state.guardian):
        if time.monotonic() > deadline:
            raise InfrastructureError(f"Process {state.guardian.pid} does not end; kill it.")
        time.sleep(0.05)
    return True


def wipe(data_folder: Path) -> None:
    """Remove the data of a stack. Raises InfrastructureError while one runs there."""
    DataFolder(data_folder).wipe()
