"""The supervisor with toy children: kept running, stopped together, ended with their parent."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from services.cli.supervisor import Child, Supervisor, backoff_seconds
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure.processes import record_of

ROOT = Path(__file__).parents[3]
DEADLINE_SECONDS = 15.0


@pytest.fixture
def toys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder from which children can import their targets."""
    (tmp_path / "toys.py").write_text(
        textwrap.dedent(
            """
            import pathlib, signal, sys, time

            def note(word):
                with open("notes.txt", "a") as file:
                    file.write(word + "\\n")

            def steady():
                signal.signal(signal.SIGTERM, lambda *_: (note("drained"), sys.exit(0)))
                note("began")
                while True:
                    time.sleep(0.05)

            def short():
                note("short")
                return 3

            def deaf():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                note("began")
                while True:
                    time.sleep(0.05)
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.cli.supervisor.ROOT", f"{ROOT}{os.pathsep}{tmp_path}")
    return tmp_path


def supervisor(folder: Path, *targets: str) -> Supervisor:
    """A supervisor of the named toys."""
    children = [Child(name=target, target=f"toys:{target}") for target in targets]
    return Supervisor(children, logs=folder / "logs", clock=SystemClock())


def notes(folder: Path) -> list[str]:
    """What the toys have written."""
    path = folder / "notes.txt"
    return path.read_text().split() if path.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  (a file of another process sets no event)
            await asyncio.sleep(0.02)


async def test_a_child_drains_on_the_order_to_stop(toys: Path) -> None:
    one = supervisor(toys, "steady")
    await one.start()
    await until(lambda: notes(toys) == ["began"])

    await one.stop()

    assert notes(toys) == ["began", "drained"]
    assert one.lives["steady"].pid is None
    assert one.lives["steady"].restarts == 0


async def test_a_child_that_ends_is_started_again_and_again(toys: Path) -> None:
    one = supervisor(toys, "short")
    await one.start()

    await until(lambda: notes(toys).count("short") >= 3)
    await one.stop()

    assert one.lives["short"].restarts >= 2
    assert one.lives["short"].last_status is not None


async def test_a_child_that_was_killed_comes_back(toys: Path) -> None:
    one = supervisor(toys, "steady")
    await one.start()
    await until(lambda: notes(toys) == ["began"])
    first = one.lives["steady"].pid
    assert first is not None

    os.kill(first, signal.SIGKILL)
    await until(lambda: notes(toys) == ["began", "began"])
    second = one.lives["steady"].pid
    await one.stop()

    assert second not in (None, first)


async def test_a_child_that_hears_no_signal_is_killed_in_the_end(
    toys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.supervisor.STOP_SECONDS", 0.3)
    one = supervisor(toys, "deaf")
    await one.start()
    await until(lambda: notes(toys) == ["began"])
    pid = one.lives["deaf"].pid
    assert pid is not None

    await one.stop()

    assert record_of(pid) is None


async def test_children_end_with_a_supervisor_that_is_killed(toys: Path) -> None:
    code = textwrap.dedent(
        """
        import asyncio, pathlib
        from services.cli.supervisor import Child, Supervisor
        import services.cli.supervisor as module
        from shared.runtime.clock import SystemClock

        async def main():
            module.ROOT = module.ROOT.as_posix() + ":" + pathlib.Path.cwd().as_posix()
            child = Child(name="steady", target="toys:steady")
            one = Supervisor([child], logs=pathlib.Path("logs"), clock=SystemClock())
            await one.start()
            while one.lives["steady"].pid is None:
                await asyncio.sleep(0.01)
            pathlib.Path("pid.txt").write_text(str(one.lives["steady"].pid))
            await asyncio.sleep(60)

        asyncio.run(main())
        """
    )
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", code, env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    await until(lambda: notes(toys) == ["began"] and (toys / "pid.txt").exists())
    child = int((toys / "pid.txt").read_text())

    parent.kill()
    await parent.wait()

    await until(lambda: record_of(child) is None)
    assert notes(toys) == ["began", "drained"]


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.2), (2, 0.5), (3, 1.0), (4, 2.0), (5, 5.0), (500, 5.0)]
)
def test_the_wait_grows_to_five_seconds_and_stays(failures: int, seconds: float) -> None:
    assert backoff_seconds(failures) == seconds
