"""The end of a process: what does not finish in time is cancelled, and waited for in bounds."""

import asyncio
from contextlib import suppress

import pytest

from shared.runtime import lifecycle
from shared.runtime.lifecycle import Process, _run_tasks
from shared.telemetry.health import Health


@pytest.fixture(autouse=True)
def _brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lifecycle, "JOIN_SECONDS", 0.05)
    monkeypatch.setattr(lifecycle, "CANCEL_SECONDS", 0.05)


def a_process() -> Process:
    """One that was told to close."""
    process = Process(name="test", health=Health("test"))
    process.closing.set()
    return process


async def test_what_finishes_in_time_is_not_cancelled() -> None:
    process, finished = a_process(), asyncio.Event()

    async def finishing() -> None:
        await asyncio.sleep(0.01)
        finished.set()

    process.add("finishing", finishing)

    assert await _run_tasks(process) == 0
    assert finished.is_set()


async def test_what_loses_its_cancellation_does_not_keep_the_process() -> None:
    process, gone_on = a_process(), asyncio.Event()

    async def losing() -> None:
        with suppress(asyncio.CancelledError):
            await asyncio.sleep(60)
        gone_on.set()
        await asyncio.sleep(60)

    process.add("losing", losing)

    async with asyncio.timeout(10):
        assert await _run_tasks(process) == 0
    assert gone_on.is_set()


async def test_a_task_that_ends_too_early_ends_the_process_with_an_error() -> None:
    process = Process(name="test", health=Health("test"))

    async def failing() -> None:
        raise RuntimeError("planted")

    process.add("failing", failing)

    assert await _run_tasks(process) == 1
    assert process.closing.is_set()
