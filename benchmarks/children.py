"""The processes of a run: services as they are in production, each with a log file of its own."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.stack import FOLDER, ROOT
from services.cli.registry import service_named
from shared.runtime.infrastructure import Addresses

READY_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 10.0


class ServiceError(Exception):
    """A service ended, or did not become ready; the message names its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One process to start: `command` is Python's arguments; `ready` the URL that says when."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str]
    ready: str


@dataclass(slots=True)
class Child:
    """One running process."""

    service: Service
    process: subprocess.Popen[bytes]
    log: Path

    def require_alive(self) -> None:
        """Raises ServiceError with the log's end when the process has ended."""
        if (status := self.process.poll()) is not None:
            tail = self.log.read_text(errors="replace")[-2000:]
            raise ServiceError(f"{self.service.name} ended with {status}. {self.log}:\n{tail}")

    def freeze(self) -> None:
        """Stop its clock: not a line of it runs until `thaw`."""
        self.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self.process.send_signal(signal.SIGCONT)


def free_port() -> int:
    """A port of loopback that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def stocktide(name: str, addresses: Addresses, *, number: int = 1) -> Service:
    """A service of the registry on a port of its own; `number` tells several of one apart."""
    known, port = service_named(name), free_port()
    return Service(
        name=f"{name}-{number}",
        command=["-m", "services.cli.child", known.target],
        environment={**environment_for(addresses), known.port_variable: str(port)},
        ready=f"http://127.0.0.1:{port}/readyz",
    )


def environment_for(addresses: Addresses) -> dict[str, str]:
    """What every service is told."""
    return {
        "STOCKTIDE_KAFKA": addresses.kafka,
        "STOCKTIDE_POSTGRES": addresses.postgres,
        "STOCKTIDE_REDIS": addresses.redis,
        "STOCKTIDE_LOG_LEVEL": "WARNING",
    }


@contextmanager
def running(services: Sequence[Service]) -> Iterator[list[Child]]:
    """Start all, wait until all are ready; stop all at the end, however it comes."""
    children: list[Child] = []
    try:
        for service in services:
            children.append(_start(service))
        deadline = time.monotonic() + READY_SECONDS_MAX
        for child in children:
            _await_ready(child, deadline)
        yield children
    finally:
        _stop(children)


def watched(children: Sequence[Child]) -> Callable[[], None]:
    """What a wait calls in between: raises ServiceError when one of them has ended."""

    def alive() -> None:
        for child in children:
            child.require_alive()

    return alive


def _start(service: Service) -> Child:
    log = FOLDER / "logs" / f"{service.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        process = subprocess.Popen(
            [sys.executable, *service.command],
            cwd=ROOT,
            env={**os.environ, **service.environment},
            stdin=subprocess.PIPE,  # its end is the child's order to end, however we do
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    return Child(service, process, log)


def _await_ready(child: Child, deadline: float) -> None:
    reason = "no answer"
    while time.monotonic() < deadline:
        child.require_alive()
        try:
            with urllib.request.urlopen(child.service.ready, timeout=2) as answer:
                if answer.status == 200:
                    return
        except urllib.error.HTTPError as error:
            reason = error.read().decode(errors="replace")[:300]
        except OSError as error:
            reason = str(error)
        time.sleep(0.1)
    raise ServiceError(f"{child.service.name} is not ready: {reason}. See {child.log}.")


def _stop(children: Sequence[Child]) -> None:
    for child in children:
        child.thaw()
        child.process.terminate()
    deadline = time.monotonic() + STOP_SECONDS_MAX
    for child in children:
        try:
            child.process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        if child.process.stdin is not None:
            child.process.stdin.close()
