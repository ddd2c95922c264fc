"""Lines wanted for later: they lower what may be promised, and not what may be sold now."""

import asyncio
from datetime import datetime, timedelta

from services.availability.handlers.keeping import forget_settled
from services.availability.handlers.promising import promise
from shared.testing.messages import NOON
from tests.integration.availability.bench import AvailabilityBench, a_level
from tests.integration.availability.test_folding import a_line

MARCH = NOON + timedelta(days=90)


def for_march(version: int, dated: int, **overrides: object) -> dict[str, object]:
    return a_line(version, 0, dated=dated, requested_for=MARCH.isoformat()) | overrides


async def promised(availability: AvailabilityBench, by: datetime) -> int:
    found = await promise(availability.pool, "S1", "web", by)
    assert found is not None
    return found["available_to_promise"]


async def test_a_line_for_march_lowers_the_promise_and_not_the_figure(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))

    await availability.allocate(for_march(1, 3))

    assert await availability.figure("S1") == 7
    assert await promised(availability, MARCH) == 4
    # Who is promised a unit today must not take one that March counts on.
    assert await promised(availability, NOON) == 4


async def test_a_line_that_is_held_now_counts_once(availability: AvailabilityBench) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.allocate(for_march(1, 3))

    await availability.levels(a_level("S1", "L1", 7, allocated=3, version=2))
    await availability.allocate(for_march(2, 0))

    assert await availability.figure("S1") == 4
    assert await promised(availability, MARCH) == 4


async def test_an_older_state_of_a_line_changes_no_promise(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.allocate(for_march(2, 0, short=1))
    await availability.allocate(for_march(1, 3))

    assert await promised(availability, MARCH) == 6


async def test_lines_that_wait_for_nothing_are_forgotten_after_a_week(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    for name, second in (("settled", 0), ("dated", 3)):
        await availability.allocate(for_march(1, 3, order_id=name))
        await availability.allocate(for_march(2, second, order_id=name))
    await availability.allocate(a_line(1, 2, order_id="unsourced"))
    closing = asyncio.Event()

    assert await forget_settled(availability.pool, availability.clock, closing) == 0
    await availability.pool.execute(
        "update availability.unsourced_lines set changed_at = $1", NOON - timedelta(days=8)
    )

    assert await forget_settled(availability.pool, availability.clock, closing) == 1
    rows = await availability.pool.fetch("select order_id from availability.unsourced_lines")
    assert {row[0] for row in rows} == {"dated", "unsourced"}
