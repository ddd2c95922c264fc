"""A process that has imported what services import, and forks children that need not.

    python -m services.cli.nursery

Importing costs each service more than a second of processor time, and on a small machine ten of
them are most of a start. Standard input is a socket from the supervisor: a line of JSON asks for a
child, and brings with it the child's standard input and its log as file descriptors. The answers
are lines as well: `{"pid": …}` for each request in turn, `{"ended": pid, "status": …}` when a child
ends. At the socket's end the nursery ends; its children have pipes of their own to notice by.

Nothing here may start a thread or an event loop: what is forked must be whole.
"""

import gc
import importlib
import json
import os
import select
import signal
import socket
import sys
from contextlib import suppress
from typing import NoReturn

from services.cli import child

# What several services import and nobody's metrics are made by. What is missing here only costs a
# child the time to import it.
IMPORTED = (
    "aiohttp", "aiokafka", "asyncpg", "fastapi", "prometheus_client", "pydantic_settings",
    "redis.asyncio", "uvicorn", "uvloop", "httptools", "shared.contracts.topics",
    "shared.contracts.reference", "shared.runtime.lifecycle", "shared.runtime.settings",
    "shared.postgres.migrations", "shared.kafka.watching",
    "uvicorn.protocols.http.httptools_impl", "services.cli.child",
)  # fmt: skip
REQUEST_BYTES_MAX = 1 << 20
DESCRIPTORS = 2


def main() -> int:
    """Import, then fork whatever is asked for, until the supervisor is gone."""
    control = socket.socket(fileno=os.dup(0))
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    signal.set_wakeup_fd(wakes)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for number in (signal.SIGINT, signal.SIGHUP):  # the supervisor alone decides about an end
        signal.signal(number, signal.SIG_IGN)
    gc.disable()  # what is imported stays
    for name in IMPORTED:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()
    with control:
        _answer(control, woken, wakes)
    return 0


def _answer(control: socket.socket, woken: int, wakes: int) -> None:
    while True:
        ready, _, _ = select.select([control.fileno(), woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            _tell_ended(control)
        if control.fileno() in ready:
            request, descriptors = _receive(control)
            if request is None:
                return
            pid = os.fork()
            if pid == 0:
                control.close()
                os.close(woken)
                signal.set_wakeup_fd(-1)
                os.close(wakes)
                _become(request, descriptors)
            for one in descriptors:
                os.close(one)
            control.sendall(json.dumps({"pid": pid}).encode() + b"\n")


def _receive(control: socket.socket) -> tuple[dict[str, object] | None, list[int]]:
    """One request with its descriptors; None at the socket's end. One is on its way at a time."""
    read, descriptors = b"", []
    while not read.endswith(b"\n"):
        part, found, _, _ = socket.recv_fds(control, 65_536, DESCRIPTORS)
        descriptors += found
        read += part
        if not part or len(read) > REQUEST_BYTES_MAX:
            return None, descriptors
    request = json.loads(read)
    assert isinstance(request, dict), "the supervisor sends objects"
    assert len(descriptors) == DESCRIPTORS, descriptors
    return request, descriptors


def _tell_ended(control: socket.socket) -> None:
    with suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            ended = {"ended": pid, "status": os.waitstatus_to_exitcode(status)}
            control.sendall(json.dumps(ended).encode() + b"\n")


def _become(request: dict[str, object], descriptors: list[int]) -> NoReturn:
    """Turn this fork into the child that was asked for; never returns."""
    status = 1
    try:
        os.setsid()
        for target, one in zip((0, 1), descriptors, strict=True):
            os.dup2(one, target)
            os.close(one)
        os.dup2(1, 2)
        for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
        name, environment, arguments = (request[k] for k in ("name", "environment", "arguments"))
        assert isinstance(environment, dict), "the supervisor sends a mapping"
        assert isinstance(arguments, list), "the supervisor sends a list"
        os.environ.update(environment)
        _be_called(str(name))
        status = child.main(arguments)
    except SystemExit as ended:
        status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:
        sys.excepthook(*sys.exc_info())
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _be_called(name: str) -> None:
    """The name that `ps -o comm` and `top` show, where the system lets it be set."""
    with suppress(OSError), open("/proc/self/comm", "w") as file:
        file.write(name[:15])


if __name__ == "__main__":
    sys.exit(main())
