"""The guardian of one data folder: starts its servers, and ends them when its parent ends.

    python -m shared.runtime.infrastructure.guardian

Its standard input is a pipe from the parent: one line of JSON says what to start; the end of the
pipe, which comes however the parent ends, is the order to stop. It tells its parent one JSON object
a line: {"progress": …}, then {"ready": {part: address}} or {"error": …}. If the guardian itself is
killed, the kernel ends the servers (launch.py).
"""

import asyncio
import json
import logging
import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from shared.runtime.infrastructure.folder import DataFolder, Stage, State
from shared.runtime.infrastructure.interface import InfrastructureError, Part
from shared.runtime.infrastructure.kafka import Kafka
from shared.runtime.infrastructure.ports import free_ports
from shared.runtime.infrastructure.postgres import Postgres
from shared.runtime.infrastructure.processes import ProcessRecord, is_alive, record_of
from shared.runtime.infrastructure.supervision import PortTaken, Server, Supervised
from shared.runtime.infrastructure.valkey import Valkey

log = logging.getLogger(__name__)

LEAVING_SECONDS = 30.0
PORT_TRIES_MAX = 3
STOP_ORDER: tuple[Part, ...] = ("redis", "kafka", "postgres")


def tell(**message: object) -> None:
    """One line to the parent; a parent that is gone hears nothing."""
    with suppress(OSError):
        os.write(sys.stdout.fileno(), json.dumps(message).encode() + b"\n")


class Guardian:
    """The servers of one folder. `given` are addresses of the parts that others serve."""

    def __init__(
        self, folder: DataFolder, servers: list[Server], given: Mapping[Part, str],
        me: ProcessRecord, parent: ProcessRecord,
    ) -> None:  # fmt: skip
        self._folder = folder
        self._given = given
        self._me, self._parent = me, parent
        self._stage: Stage = "starting"
        self._servers = {s.part: Supervised(s, folder, self._write) for s in servers}
        self._ports = folder.read_ports()

    async def live(self, ended: asyncio.Event) -> None:
        """Start, keep, and stop all servers. Raises InfrastructureError when one cannot live."""
        waiting = asyncio.create_task(ended.wait())
        working = asyncio.create_task(self._start_and_keep())
        try:
            await asyncio.wait([waiting, working], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                await working
        finally:
            self._stage = "stopping"
            self._write()
            for task in (waiting, working):
                task.cancel()
            await asyncio.gather(waiting, working, return_exceptions=True)
            await self._stop()

    async def _start_and_keep(self) -> None:
        async with _Group() as group:
            for one in self._servers.values():
                group.create_task(self._start(one))
        self._stage = "ready"
        self._write()
        tell(ready=self._addresses())
        async with _Group() as group:
            for one in self._servers.values():
                group.create_task(one.keep(self._ports))

    async def _start(self, one: Supervised) -> None:
        await one.prepare(lambda sentence: tell(progress=sentence))
        for _ in range(PORT_TRIES_MAX):
            self._choose_ports(one.server)
            with suppress(PortTaken):
                await one.start(self._ports)
                tell(progress=f"{one.server.title} is ready.")
                return
        raise InfrastructureError(
            f"{one.server.title} found its ports taken {PORT_TRIES_MAX} times by others. Start "
            "again, or end what takes ports on this machine."
        )

    def _choose_ports(self, server: Server) -> None:
        """No await in here: two servers never choose at once."""
        others = {n: p for n, p in self._ports.items() if n not in server.ports}
        names = [*server.ports]
        chosen = free_ports(names, before=self._ports, source=random.SystemRandom())
        while set(chosen.values()) & set(others.values()):
            chosen = free_ports(names, before={}, source=random.SystemRandom())
        self._ports.update(chosen)
        self._folder.write_ports(self._ports)

    async def _stop(self) -> None:
        for part in STOP_ORDER:
            if part in self._servers:
                await self._servers[part].stop()

    def _addresses(self) -> dict[Part, str]:
        ours = {part: one.server.address(self._ports) for part, one in self._servers.items()}
        return {**self._given, **ours}

    def _write(self) -> None:
        self._folder.write_state(
            State(
                stage=self._stage, guardian=self._me, parent=self._parent,
                servers={p: one.record for p, one in self._servers.items() if one.record},
                addresses=self._addresses() if self._stage == "ready" else {},
            )
        )  # fmt: skip


class _Group(asyncio.TaskGroup):
    """A task group that raises its first error itself, not a group of errors."""

    async def __aexit__(self, *details: object) -> None:
        try:
            await super().__aexit__(*details)  # type: ignore[arg-type]  # handed through
        except* InfrastructureError as group:
            raise group.exceptions[0] from None


def take_folder(folder: DataFolder) -> int:
    """The folder's lock. One that is being left is waited for; one in use raises."""
    deadline = time.monotonic() + LEAVING_SECONDS
    while (lock := folder.lock()) is None:
        state = folder.read_state()
        leaving = state is None or state.stage == "stopping" or not is_alive(state.parent)
        if not leaving or time.monotonic() > deadline:
            raise InfrastructureError(folder.in_use())
        time.sleep(0.05)
    folder.end_leftovers()
    return lock


async def guard(order: Mapping[str, object], folder: DataFolder) -> None:
    """Carry out the parent's order until the pipe ends or a signal comes."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()

    def listen() -> None:
        if not os.read(sys.stdin.fileno(), 1024):  # the pipe's end: the parent has ended
            loop.remove_reader(sys.stdin.fileno())
            ended.set()

    loop.add_reader(sys.stdin.fileno(), listen)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    me, parent = record_of(os.getpid()), record_of(os.getppid())
    assert me is not None, "we are alive"
    if parent is None:
        return
    cache = Path(str(order["cache"]))
    given = order["given"]
    assert isinstance(given, dict), given
    every: tuple[Server, ...] = (Kafka(folder, cache), Postgres(folder), Valkey(folder))
    servers = [one for one in every if one.part not in given]
    await Guardian(folder, servers, given, me, parent).live(ended)


def main() -> int:
    """Returns the exit status; the reason of a failure has been told to the parent by then."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    order = json.loads(sys.stdin.readline())
    folder = DataFolder(Path(order["folder"]))
    try:
        folder.open()
        take_folder(folder)
        # Not asyncio.run, which waits for threads at its end: a download must not hold us back.
        asyncio.new_event_loop().run_until_complete(guard(order, folder))
    except InfrastructureError as error:
        log.exception("the servers cannot run")
        tell(error=str(error))
        return 1
    return 0


if __name__ == "__main__":
    status = main()
    logging.shutdown()
    os._exit(status)  # nor here
