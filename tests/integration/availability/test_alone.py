"""Batches decided on rows that this worker remembers: only where nothing has changed since."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio

from services.availability import metrics
from services.availability.handlers.remembering import RowMemory
from services.availability.repository import publishing
from services.availability.repository.publishing import DirtyStates
from shared.runtime.clock import ManualClock
from tests.integration.availability.bench import (
    AvailabilityBench,
    a_level,
    a_policy,
    open_bench,
)


@pytest_asyncio.fixture(loop_scope="session")
async def other(
    availability: AvailabilityBench, database: str, redis_url: str
) -> AsyncIterator[AvailabilityBench]:
    """A second worker on the same database."""
    async with open_bench(database, redis_url, partition=1) as bench:
        yield bench


def overtaken() -> float:
    """How many batches had to be decided again, in this process."""
    found: float = metrics.OVERTAKEN._value.get()
    return found


async def test_a_remembered_row_gives_the_same_view_as_one_that_is_read(
    availability: AvailabilityBench,
) -> None:
    for number, sellable in enumerate((7, 5, 9), start=1):
        await availability.levels(
            a_level("S1", "L1", sellable, version=number), a_level("S2", "L2", 1, version=number)
        )
    remembered, before = await availability.shown("S1"), overtaken()

    await availability.recomputing.force_sweep("test")
    await availability.settle()

    assert overtaken() == before
    told = await availability.shown("S1")
    assert told["web"]["available_to_sell"] == remembered["web"]["available_to_sell"] == 9


async def test_what_another_worker_has_changed_meanwhile_is_not_overwritten(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await other.levels(a_level("S1", "L2", 5))
    before = overtaken()

    await availability.levels(a_level("S1", "L1", 6, version=2))

    assert await availability.figure("S1") == 11
    assert overtaken() == before + 1


async def test_a_policy_that_another_worker_has_folded_holds_for_remembered_rows(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await other.tell("reference-data-v1", a_policy("m", "max_listed", 3))

    await availability.levels(a_level("S1", "L1", 6, version=2))

    assert await availability.figure("S1") == 3


async def test_a_policy_that_begins_by_time_alone_holds_for_remembered_rows(
    availability: AvailabilityBench,
) -> None:
    """The worker's own clock stands still here: the database's time is what counts."""
    begins = await availability.pool.fetchval("select now() + interval '300 milliseconds'")
    await availability.refer(a_policy("m", "max_listed", 3, **{"from": begins.isoformat()}))
    await availability.levels(a_level("S1", "L1", 7))
    assert await availability.figure("S1") == 7
    await availability.pool.execute(
        "select pg_sleep(extract(epoch from $1 - now()))", begins + timedelta(milliseconds=50)
    )

    await availability.levels(a_level("S1", "L1", 6, version=2))

    assert await availability.figure("S1") == 3


async def test_what_goes_out_from_memory_is_what_would_have_been_read(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7), a_level("S2", "L1", 3))
    await availability.levels(a_level("S1", "L1", 5, version=2))
    states = availability.topic

    flight = await states.take()

    availability.topic = DirtyStates(availability.pool, kind="topic")
    read = await availability.published()
    assert {message.key: message for message in flight.messages} == {m.key: m for m in read}
    assert flight.rows
    assert (await states.take()).rows == []


async def test_rows_that_go_out_from_memory_are_not_read_too(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    states = availability.topic

    read = await states.unpublished(range(8), 64, states.rows)

    assert read.rows == []
    assert len((await states.take()).rows) == 1


async def test_without_room_all_is_forgotten_so_that_nothing_older_goes_out_after_it(
    availability: AvailabilityBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "FRESH_MAX", 1)
    await availability.levels(a_level("S1", "L1", 7))

    await availability.levels(a_level("S1", "L1", 5, version=2))

    assert (await availability.topic.take()).rows == []
    assert len(await availability.published()) == 1


async def test_memory_is_bounded_by_the_levels_it_holds(availability: AvailabilityBench) -> None:
    memory = RowMemory(ManualClock(availability.clock.now()), levels_max=5)
    availability.handler._memory = memory
    await availability.levels(a_level("S1", "L1", 7), a_level("S1", "L2", 7))
    await availability.levels(a_level("S2", "L1", 7))

    await availability.levels(a_level("S3", "L1", 7))

    assert memory.take(["S1"]) is None
    assert memory.take(["S2", "S3"]) is not None
    assert memory.take(["S2"]) is None, "who takes a row brings it back"
