"""Groups: who waits is answered in order, a bug is told to one caller, an outage to all."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import asyncpg
import pytest

from services.ledger.handlers import collecting
from services.ledger.handlers.collecting import Collector, UnavailableError


@asynccontextmanager
async def running(collector: Collector[int, int], closing: asyncio.Event) -> AsyncIterator[None]:
    task = asyncio.create_task(collector.run())
    try:
        yield
    finally:
        closing.set()
        await task


class Work:
    """Doubles; fails on a number below 0, and as often as it is told for want of the database."""

    def __init__(self, failures: int = 0) -> None:
        self.groups: list[list[int]] = []
        self._failures = failures

    async def __call__(self, group: Sequence[int]) -> list[int]:
        self.groups.append(list(group))
        await asyncio.sleep(0)
        if self._failures:
            self._failures -= 1
            raise asyncpg.ConnectionDoesNotExistError
        if any(number < 0 for number in group):
            raise ZeroDivisionError
        return [2 * number for number in group]


async def test_whoever_comes_while_one_group_runs_is_the_next_group() -> None:
    work, closing = Work(), asyncio.Event()
    collector: Collector[int, int] = Collector(work, closing, group_max=3)

    async with running(collector, closing):
        told = await asyncio.gather(*(collector.ask(number) for number in range(7)))

    assert told == [0, 2, 4, 6, 8, 10, 12]
    assert work.groups == [[0, 1, 2], [3, 4, 5], [6]]


async def test_a_bug_on_one_question_fails_only_its_caller() -> None:
    work, closing = Work(), asyncio.Event()
    collector: Collector[int, int] = Collector(work, closing)

    async with running(collector, closing):
        told = await asyncio.gather(
            *(collector.ask(number) for number in (1, 2, -1, 3)), return_exceptions=True
        )

    assert [one for one in told if isinstance(one, int)] == [2, 4, 6]
    assert isinstance(told[2], ZeroDivisionError)


async def test_an_outage_that_passes_is_not_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "FIRST_PAUSE_SECONDS", 0.0)
    work, closing = Work(failures=2), asyncio.Event()
    collector: Collector[int, int] = Collector(work, closing)

    async with running(collector, closing):
        assert await collector.ask(1) == 2

    assert work.groups == [[1], [1], [1]]


async def test_an_outage_that_stays_is_told_after_bounded_tries(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(collecting, "FIRST_PAUSE_SECONDS", 0.0)
    work, closing = Work(failures=99), asyncio.Event()
    collector: Collector[int, int] = Collector(work, closing)

    async with running(collector, closing):
        with pytest.raises(UnavailableError):
            await collector.ask(1)

    assert len(work.groups) == collecting.ATTEMPTS_MAX


async def test_a_caller_who_has_gone_holds_up_nobody() -> None:
    work, closing = Work(), asyncio.Event()
    collector: Collector[int, int] = Collector(work, closing)
    gone = asyncio.ensure_future(collector.ask(1))
    stays = asyncio.ensure_future(collector.ask(2))
    await asyncio.sleep(0)

    gone.cancel()
    async with running(collector, closing):
        assert await stays == 4


async def test_too_many_waiting_are_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(collecting, "WAITING_MAX", 1)
    closing = asyncio.Event()
    collector: Collector[int, int] = Collector(Work(), closing)
    first = asyncio.ensure_future(collector.ask(1))
    await asyncio.sleep(0)

    with pytest.raises(UnavailableError):
        await collector.ask(2)

    async with running(collector, closing):
        assert await first == 2
    with pytest.raises(UnavailableError):
        await collector.ask(3)
