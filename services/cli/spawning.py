"""How a supervised process comes to life: forked by the nursery, or started by itself."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

ROOT = Path(__file__).parents[2]
CLOSE_SECONDS = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What to run: a target of services/cli/child.py, its environment, and its probe's port."""

    name: str
    target: str
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int | None = None
    probe: str = "/readyz"

    def __post_init__(self) -> None:
        assert self.name, "a child has a name"
        assert self.target, self.name


class Born(Protocol):
    """A process that lives."""

    @property
    def pid(self) -> int: ...

    async def wait(self) -> int:
        """Its exit status, once it has one; negative for a signal."""
        ...


Spawn = Callable[[Child, Path], Awaitable[Born]]


def environment_for(child: Child) -> dict[str, str]:
    """What the child's environment has beside ours."""
    return {"PYTHONPATH": str(ROOT), **child.environment}


async def start_alone(child: Child, log: Path) -> Born:
    """An interpreter of its own. A session of its own too: Ctrl-C reaches the supervisor alone,
    which stops all in order.
    """
    with log.open("ab") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "services.cli.child", child.target, *child.arguments,
            stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output,
            start_new_session=True, env={**os.environ, **environment_for(child)},
        )  # fmt: skip


@dataclass(slots=True)
class _Forked:
    """A child of the nursery; `tie` is our end of its standard input."""

    pid: int
    tie: int
    ended: "asyncio.Future[int]"

    async def wait(self) -> int:
        return await asyncio.shield(self.ended)


class Nursery:
    """The process of services/cli/nursery.py, from outside. Begun early, it imports while the
    servers start; `logs` is the folder of its output. Where there is none, or it has died, children
    are started by themselves.
    """

    def __init__(self, logs: Path) -> None:
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._ours, theirs = socket.socketpair()
        self._ours.setblocking(False)  # noqa: FBT003  (the socket's own signature)
        self._process: subprocess.Popen[bytes] | None = None
        with theirs, (logs / "nursery.log").open("ab") as output:
            if sys.platform == "linux":  # elsewhere libraries don't promise to outlive a fork
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "services.cli.nursery"],
                    stdin=theirs.fileno(), stdout=output, stderr=output, start_new_session=True,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )  # fmt: skip
        self._is_open = self._process is not None
        self._reader: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._asked: deque[tuple[asyncio.Future[_Forked], int]] = deque()
        self._living: dict[int, _Forked] = {}

    async def start(self, child: Child, log: Path) -> Born:
        """The child, by the shortest way there is."""
        if self._is_open:
            with suppress(OSError):
                return await self._fork(child, log)
        return await start_alone(child, log)

    async def _fork(self, child: Child, log: Path) -> Born:
        loop = asyncio.get_running_loop()
        if self._reader is None:
            self._reader = asyncio.create_task(self._read())
        request = {
            "name": child.name,
            "arguments": [child.target, *child.arguments],
            "environment": environment_for(child),
        }
        told = json.dumps(request).encode() + b"\n"
        answer: asyncio.Future[_Forked] = loop.create_future()
        theirs, tie = os.pipe()
        try:
            async with self._turn:  # the next request waits, lest their descriptors mix
                with log.open("ab") as output:
                    # The first byte brings them; the rest follows as there is room.
                    socket.send_fds(self._ours, [told[:1]], [theirs, output.fileno()])
                self._asked.append((answer, tie))
                await loop.sock_sendall(self._ours, told[1:])
                return await answer
        finally:
            os.close(theirs)

    async def _read(self) -> None:
        loop, kept = asyncio.get_running_loop(), b""
        try:
            while part := await loop.sock_recv(self._ours, 65_536):
                *lines, kept = (kept + part).split(b"\n")
                for line in lines:
                    self._note(json.loads(line))
        except OSError:
            pass  # as at its end: the nursery is gone
        finally:
            self._forget()
            self._ours.close()  # by nobody else while the loop watches its descriptor

    def _note(self, told: Mapping[str, int]) -> None:
        if "pid" in told:
            answer, tie = self._asked.popleft()
            ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()
            born = self._living[told["pid"]] = _Forked(told["pid"], tie, ended)
            if not answer.done():
                answer.set_result(born)
        else:
            born = self._living.pop(told["ended"])
            os.close(born.tie)
            born.ended.set_result(told["status"])

    def _forget(self) -> None:
        """Nobody can tell any more how its children end, so they are ended here, and begin again
        by themselves.
        """
        self._is_open = False
        for answer, tie in self._asked:
            os.close(tie)
            if not answer.done():
                answer.set_exception(ConnectionError("the nursery has ended"))
        self._asked.clear()
        for born in self._living.values():
            with suppress(ProcessLookupError):
                os.kill(born.pid, signal.SIGKILL)
            os.close(born.tie)
            born.ended.set_result(-signal.SIGKILL)
        self._living.clear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """End the nursery. Nothing that it has started outlives this."""
        self._forget()
        with suppress(OSError):
            self._ours.shutdown(socket.SHUT_RDWR)
        if self._reader is None:
            self._ours.close()
        if self._process is not None:
            self._process.wait(CLOSE_SECONDS)
