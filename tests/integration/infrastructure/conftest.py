"""Stacks of these tests' own, apart from the session's: they are killed, healed and wiped."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.runtime.infrastructure import Addresses, Part, wipe
from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.processes import is_alive

ROOT = Path(__file__).parents[3]
# Kafka takes three seconds to start; what is not about it runs without.
WITHOUT_KAFKA: Mapping[Part, str] = {"kafka": "127.0.0.1:1"}
DEADLINE_SECONDS = 20.0


def wait_until(
    condition: Callable[[], bool], what: str, *, seconds: float = DEADLINE_SECONDS
) -> None:
    """Poll until `condition` holds; fails with `what` after the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds:.0f} s: {what}"
        time.sleep(0.02)


def wait_until_all_ended(folder: Path) -> None:
    """Poll until the guardian and every server named in the folder has ended."""
    state = DataFolder(folder).read_state()
    assert state is not None, "a stack ran here"
    records = [state.guardian, *state.servers.values()]
    wait_until(lambda: not any(is_alive(one) for one in records), "guardian and servers end")


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Another process that started a stack, as a demo or a service runner does."""

    process: subprocess.Popen[str]
    addresses: Addresses

    def kill(self) -> None:
        """kill -9: it gets no chance to stop anything."""
        self.process.kill()
        self.process.wait()


Hold = Callable[..., Holder]


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A data folder inside one of mode 0700; its data is removed at the end."""
    tmp_path.chmod(0o700)
    path = tmp_path / "data"
    yield path
    wipe(path)


@pytest.fixture
def hold(folder: Path) -> Iterator[Hold]:
    """Starts a stack in another process, without a terminal; ends it at the end."""
    processes: list[subprocess.Popen[str]] = []

    def start(
        given: Mapping[Part, str] = WITHOUT_KAFKA,
        environment: Mapping[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> Holder:
        module = "tests.integration.infrastructure.holder"
        process = subprocess.Popen(
            [*prefix, sys.executable, "-m", module, str(folder), json.dumps(given)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, cwd=ROOT,
            start_new_session=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), **(environment or {})},
        )  # fmt: skip
        processes.append(process)
        assert process.stdout is not None, "it is a pipe"
        told = json.loads(process.stdout.readline())
        assert "error" not in told, told
        return Holder(process=process, addresses=Addresses(**told))

    yield start
    for process in processes:
        process.kill()
        process.wait()
        assert process.stdout is not None, "it is a pipe"
        process.stdout.close()
    if processes:
        wait_until_all_ended(folder)
