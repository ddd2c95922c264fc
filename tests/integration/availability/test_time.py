"""What changes by time alone: due rows, the longest overdue first."""

from datetime import datetime, timedelta

from tests.integration.availability.bench import AvailabilityBench, a_level, a_policy


async def _database_time(availability: AvailabilityBench) -> datetime:
    found: datetime = await availability.pool.fetchval("select now()")
    return found


async def _let_pass(availability: AvailabilityBench) -> None:
    """Move every due moment, and what it is due for, a day into the past."""
    await availability.pool.execute("update availability.due set at = at - interval '1 day'")


async def test_a_window_that_is_to_come_is_due_at_both_its_ends(
    availability: AvailabilityBench,
) -> None:
    begins = await _database_time(availability) + timedelta(hours=1)
    ends = begins + timedelta(hours=1)
    await availability.refer(
        a_policy("p", "closed", 1, until=ends.isoformat(), **{"from": begins.isoformat()})
    )

    due = await availability.pool.fetch("select at, key from availability.due order by at")

    assert [(row["at"], row["key"]) for row in due] == [(begins, "shared"), (ends, "shared")]


async def test_a_closure_that_begins_stops_the_offer_without_a_message(
    availability: AvailabilityBench,
) -> None:
    """C11: at 18:00 the store closes for a week; nobody sends anything at 18:00."""
    begins = await _database_time(availability) + timedelta(milliseconds=300)
    await availability.levels(a_level("S1", "L1", 7))
    await availability.refer(
        a_policy("p", "closed", 1, scope={"location": "L1"}, **{"from": begins.isoformat()})
    )
    assert await availability.figure("S1") == 7

    await availability.pool.execute("select pg_sleep(0.4)")
    await availability.settle()

    assert await availability.figure("S1") == 0


async def test_a_window_of_one_sku_is_due_for_it_alone(availability: AvailabilityBench) -> None:
    ends = await _database_time(availability) + timedelta(milliseconds=300)
    await availability.levels(a_level("S1", "L1", 7), a_level("S2", "L1", 7))
    await availability.refer(
        a_policy("p", "max_listed", 2, scope={"sku": "S1"}, until=ends.isoformat())
    )
    assert await availability.figure("S1") == 2
    untouched = await availability.version("S2")

    await availability.pool.execute("select pg_sleep(0.4)")
    await availability.settle()

    assert await availability.figure("S1") == 7
    assert await availability.version("S2") == untouched


async def test_what_is_overdue_after_a_stop_is_worked_off_at_once(
    availability: AvailabilityBench,
) -> None:
    later = await _database_time(availability) + timedelta(hours=1)
    await availability.refer(
        a_policy("p", "max_listed", 2, scope={"sku": "S1"}, until=later.isoformat())
    )
    await _let_pass(availability)

    await availability.settle()

    assert await availability.pool.fetchval("select count(*) from availability.due") == 0
