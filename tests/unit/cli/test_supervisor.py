"""The supervisor with toy children: kept running, stopped together, ended with their parent."""

import asyncio
import os
import signal
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from services.cli.spawning import Child, Nursery, Spawn, start_alone
from services.cli.supervisor import Supervisor, backoff_seconds
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

            def told():
                import os
                print(*sys.argv, os.environ["TOY"])
                print("complaint", file=sys.stderr)
                return 4

            def deaf():
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
                note("began")
                while True:
                    time.sleep(0.05)
            """
        )
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.cli.spawning.ROOT", f"{ROOT}{os.pathsep}{tmp_path}")
    return tmp_path


@pytest.fixture(params=["alone", "nursery"])
def spawn(request: pytest.FixtureRequest, toys: Path) -> Iterator[Spawn]:
    """Both ways in which a child comes to life."""
    if request.param == "alone":
        yield start_alone
        return
    with Nursery(toys / "logs") as nursery:
        yield nursery.start


def supervisor(folder: Path, *targets: str, spawn: Spawn = start_alone) -> Supervisor:
    """A supervisor of the named toys."""
    children = [Child(name=target, target=f"toys:{target}") for target in targets]
    return Supervisor(children, logs=folder / "logs", clock=SystemClock(), spawn=spawn)


def notes(folder: Path) -> list[str]:
    """What the toys have written."""
    path = folder / "notes.txt"
    return path.read_text().split() if path.exists() else []


async def until(condition: Callable[[], bool]) -> None:
    """Poll with a deadline."""
    async with asyncio.timeout(DEADLINE_SECONDS):
        while not condition():  # noqa: ASYNC110  (a file of another process sets no event)
            await asyncio.sleep(0.02)


async def test_a_child_drains_on_the_order_to_stop(toys: Path, spawn: Spawn) -> None:
    one = supervisor(toys, "steady", spawn=spawn)
    await one.start()
    await until(lambda: notes(toys) == ["began"])

    await one.stop()

    assert notes(toys) == ["began", "drained"]
    assert one.lives["steady"].pid is None
    assert one.lives["steady"].restarts == 0


async def test_a_child_that_ends_is_started_again_and_again(toys: Path, spawn: Spawn) -> None:
    one = supervisor(toys, "short", spawn=spawn)
    await one.start()

    await until(lambda: notes(toys).count("short") >= 3)
    await one.stop()

    assert one.lives["short"].restarts >= 2
    assert one.lives["short"].last_status is not None


async def test_a_child_that_was_killed_comes_back(toys: Path, spawn: Spawn) -> None:
    one = supervisor(toys, "steady", spawn=spawn)
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
    toys: Path, spawn: Spawn, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.cli.supervisor.STOP_SECONDS", 0.3)
    one = supervisor(toys, "deaf", spawn=spawn)
    await one.start()
    await until(lambda: notes(toys) == ["began"])
    pid = one.lives["deaf"].pid
    assert pid is not None

    await one.stop()

    assert record_of(pid) is None


@pytest.mark.parametrize("way", ["start_alone", "Nursery(pathlib.Path('logs')).start"])
async def test_children_end_with_a_supervisor_that_is_killed(toys: Path, way: str) -> None:
    code = textwrap.dedent(
        f"""
        import asyncio, pathlib
        import services.cli.spawning as module
        from services.cli.spawning import Child, Nursery, start_alone
        from services.cli.supervisor import Supervisor
        from shared.runtime.clock import SystemClock

        async def main(spawn):
            child = Child(name="steady", target="toys:steady")
            logs = pathlib.Path("logs")
            one = Supervisor([child], logs=logs, clock=SystemClock(), spawn=spawn)
            await one.start()
            while one.lives["steady"].pid is None:
                await asyncio.sleep(0.01)
            pathlib.Path("pid.txt").write_text(str(one.lives["steady"].pid))
            await asyncio.sleep(60)

        module.ROOT = module.ROOT.as_posix() + ":" + pathlib.Path.cwd().as_posix()
        asyncio.run(main({way}))
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


async def test_a_nursery_that_is_killed_takes_its_children_along_and_they_come_back(
    toys: Path,
) -> None:
    with Nursery(toys / "logs") as nursery:
        one = supervisor(toys, "steady", spawn=nursery.start)
        await one.start()
        await until(lambda: notes(toys) == ["began"])
        first = one.lives["steady"].pid
        assert first is not None
        status = (Path("/proc") / str(first) / "status").read_text()
        parent = next(int(x.split()[1]) for x in status.splitlines() if x.startswith("PPid"))
        assert parent != os.getpid(), "the nursery is its parent"

        os.kill(parent, signal.SIGKILL)
        await until(lambda: notes(toys) == ["began", "began"])
        second = one.lives["steady"].pid
        await one.stop()

    assert second not in (None, first)
    assert record_of(first) is None


async def test_a_child_says_what_it_says_in_its_own_log_under_its_own_environment(
    toys: Path, spawn: Spawn
) -> None:
    children = [
        Child(name=name, target="toys:told", arguments=[name], environment={"TOY": name * 3})
        for name in ("a", "b")
    ]
    logs = toys / "logs"
    one = Supervisor(children, logs=logs, clock=SystemClock(), spawn=spawn)

    await one.start()
    await until(lambda: all(one.lives[name].last_status is not None for name in "ab"))
    await one.stop()

    for name in "ab":
        assert one.lives[name].last_status == 4
        told = set((logs / f"{name}.log").read_text().splitlines())
        assert told == {f"toys:told {name} {name * 3}", "complaint"}


@pytest.mark.parametrize(
    ("failures", "seconds"), [(1, 0.2), (2, 0.5), (3, 1.0), (4, 2.0), (5, 5.0), (500, 5.0)]
)
def test_the_wait_grows_to_five_seconds_and_stays(failures: int, seconds: float) -> None:
    assert backoff_seconds(failures) == seconds
