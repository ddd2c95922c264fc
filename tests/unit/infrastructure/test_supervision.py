"""How a server is kept: whatever its restart meets, it is tried again, and the log tells why."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from shared.runtime.infrastructure import InfrastructureError, supervision
from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.interface import Part, Progress, silent
from shared.runtime.infrastructure.supervision import Command, Supervised

WAIT_SECONDS = 20.0
LISTEN = """
import socket, sys
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
while True:
    server.accept()[0].close()
"""


class Listener:
    """A small server; `bad_answers` and `bad_folders` are what its next restarts meet."""

    part: Part = "redis"
    title = "Listener"
    ports: Sequence[str] = ("redis",)
    stop_signal = signal.SIGTERM
    stop_seconds = 5.0
    death_signal = signal.SIGKILL
    ready_seconds = 10.0

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.bad_folders: list[OSError] = []
        self.bad_answers: list[Exception] = []
        self.is_deaf = False

    async def prepare(self, progress: Progress) -> None:
        if self.bad_folders:
            raise self.bad_folders.pop()

    def command(self, ports: Mapping[str, int]) -> Command:
        arguments = [sys.executable, "-c", LISTEN, str(ports["redis"])]
        return Command(arguments=arguments, folder=self._folder)

    async def answers(self, ports: Mapping[str, int]) -> bool:
        if self.bad_answers:
            raise self.bad_answers.pop()
        if self.is_deaf:
            return False
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", ports["redis"])
        except OSError:
            return False
        writer.close()
        return True

    def address(self, ports: Mapping[str, int]) -> str:
        return f"redis://127.0.0.1:{ports['redis']}"


@pytest.fixture
def data(tmp_path: Path) -> DataFolder:
    folder = DataFolder(tmp_path)
    folder.open()
    return folder


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():  # noqa: ASYNC110  (another process's life)
            await asyncio.sleep(0.02)


@asynccontextmanager
async def kept(server: Listener, data: DataFolder, port: int) -> AsyncIterator[Supervised]:
    """The server, up and kept; killed at exit."""
    one, ports = Supervised(server, data, lambda: None), {"redis": port}
    await one.prepare(silent)
    await one.start(ports)
    keeping = asyncio.create_task(one.keep(ports))
    yield one
    keeping.cancel()
    await asyncio.gather(keeping, return_exceptions=True)
    await one.stop()


def kill(one: Supervised) -> int:
    assert one.record is not None
    os.kill(one.record.pid, signal.SIGKILL)
    return one.record.pid


def is_another(one: Supervised, before: int) -> bool:
    return one.record is not None and one.record.pid != before


async def test_a_restart_that_meets_a_bad_folder_is_tried_again_and_told(
    data: DataFolder, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
) -> None:
    server = Listener(data.path)
    async with kept(server, data, unused_tcp_port) as one:
        server.bad_folders = [OSError("the folder is locked")]
        before = kill(one)

        await until(partial(is_another, one, before))

    assert "Listener did not start again" in caplog.text
    assert "the folder is locked" in caplog.text


@pytest.mark.parametrize("broken", [ValueError("half an answer"), TimeoutError()], ids=repr)
async def test_a_client_that_breaks_on_a_server_half_up_is_no_reason_to_give_up(
    broken: Exception, data: DataFolder, unused_tcp_port: int
) -> None:
    server = Listener(data.path)
    async with kept(server, data, unused_tcp_port) as one:
        for _ in range(2):
            server.bad_answers = [broken]
            before = kill(one)

            await until(partial(is_another, one, before))
            await until(lambda: not server.bad_answers)


async def test_a_port_that_others_keep_is_named_when_it_is_given_up(
    data: DataFolder, unused_tcp_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervision, "BACKOFF_SECONDS", (0.0,))
    server, ports = Listener(data.path), {"redis": unused_tcp_port}
    one = Supervised(server, data, lambda: None)
    await one.start(ports)
    await one.stop()

    with socket.create_server(("127.0.0.1", unused_tcp_port)):
        server.is_deaf = True
        with pytest.raises(InfrastructureError, match="ports taken by others"):
            await one.keep(ports)
