"""Service processes for tests that kill them: started as users start them, ended by pid."""

import os
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from shared.runtime.infrastructure import Addresses


@dataclass(slots=True)
class ServiceProcess:
    """One service in a process of its own. Logs go to a file, shown when a test fails."""

    target: str  # "services.ledger.app:main_worker"
    environment: dict[str, str]
    log_file: Path
    process: subprocess.Popen[bytes] | None = field(default=None)

    def start(self) -> None:
        """Start it; the caller waits for what it expects of it."""
        module, function = self.target.split(":")
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-c", f"import sys; from {module} import {function} as run; "
                 "sys.exit(run())"],
                env={**os.environ, **self.environment}, stdout=log, stderr=log,
            )  # fmt: skip

    def kill(self) -> None:
        """kill -9, and reap it."""
        self._end(signal.SIGKILL, seconds=10)

    def stop(self) -> int:
        """SIGTERM; returns the exit status. Raises TimeoutExpired when it does not end."""
        return self._end(signal.SIGTERM, seconds=15)

    def freeze(self) -> None:
        """SIGSTOP: a zombie-to-be."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        assert self.process is not None
        os.kill(self.process.pid, signal.SIGCONT)

    def _end(self, number: signal.Signals, *, seconds: float) -> int:
        assert self.process is not None
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(timeout=seconds)


def environment_of(
    addresses: Addresses, *, postgres: str, redis: str | None = None
) -> dict[str, str]:
    """What a service is told: this stack, and a database of the test's own."""
    return {
        "STOCKTIDE_KAFKA": addresses.kafka,
        "STOCKTIDE_POSTGRES": postgres,
        "STOCKTIDE_REDIS": redis or addresses.redis,
    }
