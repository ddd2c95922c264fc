"""The process supervisor: keeps every child running until it is told to stop them all."""

import asyncio
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from services.cli.spawning import Child, Spawn, start_alone
from services.cli.texts import tr
from shared.runtime.clock import Clock

BACKOFF_SECONDS = (0.2, 0.5, 1.0, 2.0, 5.0)
# A child that lived this long has recovered: its next end starts the back-off anew.
STEADY_SECONDS = 30.0
STOP_SECONDS = 5.0
KILL_SECONDS = 2.0
PROBE_SECONDS = 1.0
POLL_SECONDS = 0.1
LOG_BYTES_MAX = 10 * 1024 * 1024


@dataclass(slots=True, kw_only=True)
class Life:
    """How a child is doing: `pid` is None between two lives."""

    child: Child
    pid: int | None = None
    restarts: int = 0
    last_status: int | None = None


def backoff_seconds(failures: int) -> float:
    """The wait before the next life after `failures` short ones; at most 5 s, and never for good.

    Giving up would turn a database's minute of absence into an outage until somebody looks.
    """
    assert failures >= 1, failures
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]


class Supervisor:
    """Starts the children side by side, restarts those that end, and stops all within seconds.

    `logs` is the folder of their output; `changed` is called whenever a child's life changes,
    `told` hears in a sentence of what should not have happened, and `spawn` brings a child to life
    with its output in the file named.
    """

    def __init__(
        self,
        children: Sequence[Child],
        *,
        logs: Path,
        clock: Clock,
        changed: Callable[[], None] = lambda: None,
        told: Callable[[str], None] = lambda _: None,
        spawn: Spawn = start_alone,
    ) -> None:
        self.lives = {child.name: Life(child=child) for child in children}
        assert len(self.lives) == len(children), "names are unique"
        self._logs = logs
        self._clock = clock
        self._changed = changed
        self._told = told
        self._spawn = spawn
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Begin to keep every child; returns at once."""
        self._logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._tasks = [asyncio.create_task(self._keep(life)) for life in self.lives.values()]

    async def stop(self) -> None:
        """SIGTERM to all, wait at most 5 s, then SIGKILL. Does nothing the second time."""
        self._closing.set()
        for life in self.lives.values():
            _signal(life.pid, signal.SIGTERM)
        if not self._tasks:
            return
        _, late = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
        for life in self.lives.values():
            if late and life.pid is not None:
                self._told(
                    tr(
                        "{name} did not end in {stop_seconds:.0f} s and is killed.",
                        name=life.child.name,
                        stop_seconds=STOP_SECONDS,
                    )
                )
                _signal(life.pid, signal.SIGKILL)
        if late:
            await asyncio.wait(late, timeout=KILL_SECONDS)

    async def wait_ready(self, seconds: float) -> list[str]:
        """The names of the children that are not ready after `seconds`; empty when all are."""
        deadline = self._clock.monotonic() + seconds
        waiting = [life for life in self.lives.values() if life.child.port is not None]
        while waiting and self._clock.monotonic() < deadline and not self._closing.is_set():
            answers = await asyncio.gather(*(is_ready(life.child) for life in waiting))
            waiting = [life for life, ready in zip(waiting, answers, strict=True) if not ready]
            if waiting:
                await asyncio.sleep(POLL_SECONDS)
        return [life.child.name for life in waiting]

    async def _keep(self, life: Life) -> None:
        failures = 0
        while not self._closing.is_set():
            began = self._clock.monotonic()
            self._shorten_log(life.child)
            process = await self._spawn(life.child, self._log_of(life.child))
            life.pid = process.pid
            self._changed()
            if self._closing.is_set():  # the order came while it was being started
                _signal(process.pid, signal.SIGTERM)
            life.last_status = await process.wait()
            life.pid = None
            if self._closing.is_set():
                return
            steady = self._clock.monotonic() - began >= STEADY_SECONDS
            failures = 1 if steady else failures + 1
            life.restarts += 1
            self._changed()
            self._told(
                tr(
                    "{name} ended with status {last_status} and is started again; see {log_of}.",
                    name=life.child.name,
                    last_status=life.last_status,
                    log_of=self._log_of(life.child),
                )
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._closing.wait(), backoff_seconds(failures))

    def _log_of(self, child: Child) -> Path:
        return self._logs / f"{child.name}.log"

    def _shorten_log(self, child: Child) -> None:
        path = self._log_of(child)
        if path.exists() and path.stat().st_size > LOG_BYTES_MAX:
            path.replace(path.with_suffix(".log.1"))


def _signal(pid: int | None, number: signal.Signals) -> None:
    if pid is not None:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


async def is_ready(child: Child) -> bool:
    """Whether the child's HTTP server on loopback answers its probe with 200."""
    assert child.port is not None, "only children with a port are asked"
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(PROBE_SECONDS):
            reader, writer = await asyncio.open_connection("127.0.0.1", child.port)
            try:
                request = (
                    f"GET {child.probe} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
                )
                writer.write(request.encode())
                await writer.drain()
                status_line = await reader.readline()
            finally:
                writer.close()
            return status_line.split()[1:2] == [b"200"]
    return False
