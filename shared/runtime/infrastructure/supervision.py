"""One embedded server from its preparation to its end: started, found ready, restarted, stopped."""

import asyncio
import logging
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.interface import InfrastructureError, Part, Progress
from shared.runtime.infrastructure.processes import ProcessRecord, record_of

log = logging.getLogger(__name__)

LAUNCH = Path(__file__).with_name("launch.py")
POLL_SECONDS = 0.03
ANSWER_SECONDS = 10.0
# Backends of a killed postmaster live until their statement ends, 10 s at most, and keep a new one
# from starting; memory or a port that others took for a while come back too: the restarts reach
# over forty seconds.
RESTARTS_MAX, RESTART_WINDOW_SECONDS = 10, 90.0
BACKOFF_SECONDS = (0.0, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
KILL_SECONDS = 3.0
LOG_BYTES_MAX = 20 * 1024 * 1024
LOG_TAIL_BYTES = 2000


class PortTaken(Exception):  # noqa: N818  (a moment's outcome that is tried again, not a failure)
    """Someone else took the port between our look and the server's start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """How a server is started. `identity` is launch.py's."""

    arguments: Sequence[str]
    folder: Path
    identity: str = "-"
    environment: Mapping[str, str] = field(default_factory=dict)


class Server(Protocol):
    """What the guardian must know of one kind of server."""

    part: Part
    title: str
    ports: Sequence[str]  # names of the ports it needs
    stop_signal: signal.Signals  # an orderly end
    stop_seconds: float
    death_signal: signal.Signals  # what the kernel sends when the guardian dies
    ready_seconds: float

    async def prepare(self, progress: Progress) -> None:
        """Everything before a start: files, storage. Again and again without harm."""
        ...

    def command(self, ports: Mapping[str, int]) -> Command:
        """How to start it in the foreground."""
        ...

    async def answers(self, ports: Mapping[str, int]) -> bool:
        """Whether it answers one real query; what it needs once (a database) is made here."""
        ...

    def address(self, ports: Mapping[str, int]) -> str:
        """What services are told."""
        ...


def arguments_of(command: Command, death_signal: signal.Signals) -> list[str]:
    """The command behind launch.py, which ties its life to this process."""
    return [
        sys.executable, "-I", "-S", str(LAUNCH), str(os.getpid()), str(int(death_signal)),
        command.identity, str(command.folder), *command.arguments,
    ]  # fmt: skip


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """A clean environment: what a user has set for another Java or PostgreSQL is not for ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ}
    return {"LANG": "C.UTF-8", "TZ": "UTC", **kept, **extra}


async def run_once(command: Command, *, seconds: float) -> tuple[int, str]:
    """Run a short program to its end; returns its status and what it said.

    Must be called from the main thread's loop, as the death signal follows the starting thread.
    """
    process = await asyncio.create_subprocess_exec(
        *arguments_of(command, signal.SIGKILL),
        env=environment(command.environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        return -1, f"no end within {seconds:.0f} s"
    return process.returncode or 0, output.decode(errors="replace").strip()


class Supervised:
    """One server's process. `changed` is called whenever its pid has changed."""

    def __init__(self, server: Server, folder: DataFolder, changed: Callable[[], None]) -> None:
        self.server = server
        self.record: ProcessRecord | None = None
        self._changed = changed
        self._log = folder.log(server.part)
        self._process: asyncio.subprocess.Process | None = None
        self._log_start = 0
        self._restarts: deque[float] = deque(maxlen=RESTARTS_MAX)

    async def prepare(self, progress: Progress) -> None:
        """The server's own preparation. Raises InfrastructureError for what the disk refuses."""
        try:
            await self.server.prepare(progress)
        except OSError as error:
            raise InfrastructureError(
                f"{self.server.title} cannot use its folder: {error}. Free some space or mend its "
                "rights there, or name another data folder with STOCKTIDE_DATA."
            ) from error

    async def start(self, ports: Mapping[str, int]) -> None:
        """Start and wait for an answer. Raises InfrastructureError, or PortTaken."""
        await self._spawn(self.server.command(ports))
        process = self._process
        assert process is not None, "it was started just now"
        deadline = asyncio.get_running_loop().time() + self.server.ready_seconds
        while not await self._answers(ports):
            if process.returncode is not None:
                raise self._explained(f"ended with status {process.returncode} at its start")
            if asyncio.get_running_loop().time() > deadline:
                process.kill()
                raise self._explained(f"gave no answer in {self.server.ready_seconds:.0f} s")
            await asyncio.sleep(POLL_SECONDS)

    async def keep(self, ports: Mapping[str, int]) -> None:
        """Restart the server whenever it ends; raises InfrastructureError when it does not last."""
        loop = asyncio.get_running_loop()
        while True:
            assert self._process is not None, "start() comes first"
            status = await self._process.wait()
            now = loop.time()
            recent = [moment for moment in self._restarts if now - moment < RESTART_WINDOW_SECONDS]
            log.warning("%s ended with status %s", self.server.title, status)
            if len(recent) >= RESTARTS_MAX:
                raise self._given_up()
            self._restarts.append(now)
            await asyncio.sleep(BACKOFF_SECONDS[min(len(recent), len(BACKOFF_SECONDS) - 1)])
            try:
                await self.prepare(log.info)
                await self.start(ports)
            except (PortTaken, InfrastructureError) as error:  # the next round counts it
                log.warning("%s did not start again: %s", self.server.title, error)
            else:
                log.info("%s answers again after %.1f s", self.server.title, loop.time() - now)

    async def stop(self) -> None:
        """Ask, wait a bounded time, then kill."""
        process = self._process
        if process is None or process.returncode is not None:
            return
        for number, seconds in (
            (self.server.stop_signal, self.server.stop_seconds),
            (signal.SIGKILL, KILL_SECONDS),
        ):
            with suppress(ProcessLookupError):
                process.send_signal(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), seconds)
                return
            log.warning("%s did not end on signal %s", self.server.title, int(number))

    async def _answers(self, ports: Mapping[str, int]) -> bool:
        """Whether it answers, in a bounded time; what breaks while we ask is no answer."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await self.server.answers(ports)
        except Exception:  # a server half up breaks its client in any way
            log.info("%s gave no clear answer yet", self.server.title, exc_info=True)
            return False

    def _given_up(self) -> InfrastructureError:
        """That it ends again and again; also when others keep its ports from it."""
        error = self._explained(f"ended {RESTARTS_MAX + 1} times within 90 s")
        if isinstance(error, InfrastructureError):
            return error
        return InfrastructureError(
            f"{self.server.title} found its ports taken by others {RESTARTS_MAX + 1} times "
            f"within 90 s. End what listens there, then start again. It said last:\n{error}"
        )

    async def _spawn(self, command: Command) -> None:
        if self._log.exists() and self._log.stat().st_size > LOG_BYTES_MAX:
            self._log.replace(self._log.with_suffix(".log.1"))
        with self._log.open("ab") as output:
            self._log_start = output.tell()
            self._process = await asyncio.create_subprocess_exec(
                *arguments_of(command, self.server.death_signal),
                env=environment(command.environment),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
            )
        self.record = record_of(self._process.pid)
        self._changed()

    def _explained(self, what: str) -> Exception:
        """The failure with the server's own last words, and what can be done about it."""
        said = self._last_words()
        if "ddress already in use" in said:
            return PortTaken(said)
        way_out = f"See {self._log}."
        if "No space left" in said:
            way_out = "The disk is full: free some space, or set STOCKTIDE_DATA to another disk."
        elif "ermission denied" in said:
            way_out = "It may not use its folder: name another one with STOCKTIDE_DATA."
        elif "annot allocate memory" in said or "insufficient memory" in said:
            way_out = "The machine has too little free memory: the three servers need about 1 GiB."
        title = self.server.title
        return InfrastructureError(f"{title} {what}. {way_out} It said last:\n{said[-600:]}")

    def _last_words(self) -> str:
        with self._log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(self._log_start, size - LOG_TAIL_BYTES))
            return file.read().decode(errors="replace").strip()
