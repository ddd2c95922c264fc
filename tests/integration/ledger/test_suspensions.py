"""Looked for and not found: not offered at a distance until it is counted, and sourced again."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.ledger.repository import explaining
from services.ledger.repository.publishing import LedgerStates
from services.ledger.repository.suspensions import count_suspended, list_suspended
from shared.contracts.holds import HoldState, Purpose
from shared.contracts.levels import StockLevel
from shared.contracts.topics import STOCK_LEVELS
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    a_policy,
    open_counter,
    reasons,
    units,
)

SHORT = {"location": "L1", "at": at(40).isoformat()}


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2"))
        yield opened
        assert await opened.miscounted() == []
        assert await ledger.unbalanced() == []


async def told(ledger: LedgerBench, location: str = "L1") -> StockLevel:
    """The level as the relay tells it."""
    rows = await ledger.ask(
        "select level_id from ledger.levels join ledger.locations using (location_id)"
        " where location = $1", location,
    )  # fmt: skip
    [message] = await LedgerStates(ledger.pool).latest([("level", int(str(rows[0]["level_id"])))])
    state = STOCK_LEVELS.decode(message.value)
    assert isinstance(state, StockLevel), state
    return state


def only(explained: dict[str, Any]) -> dict[str, Any]:
    """The one level of an answer."""
    [level] = explained["levels"]
    found: dict[str, Any] = level
    return found


def a_count(quantity: int, minute: float) -> dict[str, object]:
    return a_movement(type="count", quantity=quantity, occurred_at=at(minute).isoformat())


def an_order(**more: object) -> dict[str, object]:
    return {"order_id": "O1", "wanted": 2, "candidates": ["L1", "L2"]} | more


def in_vain(**more: object) -> dict[str, object]:
    return an_order(revision=2, candidates=["L2"], short_at=[SHORT]) | more


async def receive(ledger: LedgerBench, *at_each: tuple[str, int]) -> None:
    await ledger.move(
        *(a_movement(type="receipt", quantity=n, location=place) for place, n in at_each)
    )


async def test_a_short_pick_releases_there_suspends_and_sources_again(
    ledger: LedgerBench,
) -> None:
    await receive(ledger, ("L1", 5), ("L2", 5))
    await ledger.command(an_order())

    await ledger.command(in_vain())

    assert (await ledger.level("S1", "L1"))["allocated"] == 0
    assert (await ledger.level("S1", "L2"))["allocated"] == 2
    assert ((await told(ledger, "L1")).suspended, (await told(ledger, "L2")).suspended) == (
        True, False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("minute", "is_suspended"),
    [pytest.param(50, False, id="counted_since"), pytest.param(30, True, id="counted_before")],
)
@pytest.mark.parametrize("count_first", [True, False])
async def test_only_a_count_from_after_it_ends_it_whichever_is_told_first(
    ledger: LedgerBench, minute: float, is_suspended: bool, count_first: bool
) -> None:
    await receive(ledger, ("L1", 5), ("L2", 5))
    if count_first:
        await ledger.move(a_count(4, minute))
    await ledger.command(in_vain())
    if not count_first:
        before = (await told(ledger)).version
        await ledger.move(a_count(4, minute))
        assert (await told(ledger)).version > before

    assert (await told(ledger)).suspended is is_suspended
    async with ledger.pool.acquire() as connection:
        assert await count_suspended(connection) == int(is_suspended)


async def test_nothing_else_ends_it(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5))
    await ledger.command(in_vain())

    await receive(ledger, ("L1", 5))
    await ledger.move(a_movement(quantity=1))

    assert (await told(ledger)).suspended


async def test_a_sale_there_is_told_with_the_suspension_also_from_memory(
    ledger: LedgerBench,
) -> None:
    await receive(ledger, ("L1", 5))
    await ledger.command(in_vain())
    await ledger.remembered.take()

    await ledger.move(a_movement(quantity=1))

    flight = await ledger.remembered.take()
    states = [STOCK_LEVELS.decode(message.value) for message in flight.messages]
    assert all(isinstance(state, StockLevel) and state.suspended for state in states)


async def test_told_again_or_by_an_older_state_it_changes_nothing(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5), ("L2", 5))
    await ledger.command(in_vain())
    version = (await told(ledger)).version

    await ledger.command(in_vain(), in_vain(revision=3))

    assert (await told(ledger)).version == version


async def test_an_order_cancelled_because_of_it_suspends_as_well(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5))
    await ledger.command(an_order(candidates=["L1"]))

    await ledger.command(an_order(revision=2, wanted=0, candidates=["L1"], short_at=[SHORT]))

    assert (await told(ledger)).suspended
    assert (await ledger.level())["allocated"] == 0


async def test_who_looked_later_than_now_looked_now(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5))
    late = {"location": "L1", "at": "2099-01-01T00:00:00Z"}

    await ledger.command(in_vain(short_at=[late]))
    ledger.clock.advance(seconds=600)
    await ledger.move(a_count(4, 65))

    assert not (await told(ledger)).suspended


async def test_a_place_is_suspended_that_nothing_was_told_of_before(ledger: LedgerBench) -> None:
    await ledger.command(in_vain())

    assert (await told(ledger)).suspended


async def test_a_place_that_nobody_knows_is_passed_over(ledger: LedgerBench) -> None:
    await receive(ledger, ("L2", 5))

    await ledger.command(in_vain(short_at=[{"location": "L99", "at": at(40).isoformat()}]))

    assert (await ledger.level("S1", "L2"))["allocated"] == 2
    assert await ledger.parked() == {}


async def test_another_order_is_booked_elsewhere_until_the_count(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5), ("L2", 2))
    await ledger.command(in_vain())

    await ledger.command(an_order(order_id="O2"))
    waiting = await ledger.level("S1", "L2")
    await ledger.move(a_count(5, 50))

    assert waiting["allocated"] == 4  # two of them short
    assert (await ledger.level("S1", "L2"))["allocated"] == 2
    assert (await ledger.level("S1", "L1"))["allocated"] == 2


async def test_a_kits_parts_are_suspended_with_it(ledger: LedgerBench) -> None:
    await ledger.know(skus=["KIT", "LAMP"])
    await ledger.move(a_movement(type="receipt", sku="LAMP", quantity=4))

    await ledger.command(
        {"order_id": "O1", "sku": "KIT", "wanted": 1, "candidates": [], "short_at": [SHORT],
         "kit": [{"sku": "LAMP", "quantity": 2}]}
    )  # fmt: skip

    async with ledger.pool.acquire() as connection:
        found = await list_suspended(connection, location="L1", after=0, limit=10)
    assert {str(one["sku"]): one["orders"] for one in found} == {"KIT": ["O1"], "LAMP": ["O1"]}


async def test_holds_are_refused_there_and_its_own_till_has_them(counter: Counter) -> None:
    await counter.receive(5)
    await counter.refer(a_channel("till", "L1", kind="store"))
    await counter.hold(a_line(1), hold_id="before")
    await counter.ledger.command(in_vain(wanted=0))

    refused = await counter.hold(a_line(1, "S1", "L1"), hold_id="refused")
    pooled = await counter.hold(a_line(1), hold_id="pooled")
    at_till = await counter.hold(a_line(2), hold_id="till", channel="till")
    again = await counter.hold(a_line(1), hold_id="again")
    recall = await counter.hold(a_line(1, "S1", "L1"), hold_id="recall", purpose=Purpose.RECALL)

    assert reasons(refused) == [("location_suspended", 1, 0)]
    assert pooled.state is HoldState.REFUSED
    assert (units(at_till), units(recall)) == ([{"L1": 2}], [{"L1": 1}])
    assert again.state is HoldState.REFUSED


async def test_what_lies_there_does_not_make_up_for_what_the_channel_keeps_back(
    counter: Counter,
) -> None:
    await counter.receive(5)
    await counter.receive(3, location="L2")
    await counter.refer(a_policy("channel_buffer", 1))
    await counter.ledger.command(in_vain(wanted=0))

    refused = await counter.hold(a_line(3))

    assert reasons(refused) == [("quantity_exceeds_pool", 3, 2)]


async def test_a_count_lets_holds_have_it_again(counter: Counter) -> None:
    await counter.receive(5)
    await counter.ledger.command(in_vain())
    refused = await counter.hold(a_line(1), hold_id="refused")

    await counter.ledger.move(a_count(4, 50))
    held = await counter.hold(a_line(1), hold_id="held")

    assert (refused.state, held.state) == (HoldState.REFUSED, HoldState.HELD)


async def test_explain_tells_who_looked_in_vain_now_and_then(ledger: LedgerBench) -> None:
    await receive(ledger, ("L1", 5))
    await ledger.command(in_vain())
    [between] = await ledger.ask("select clock_timestamp() as now")
    await ledger.move(a_count(4, 50))

    async with ledger.pool.acquire() as connection:
        now = await explaining.explain(connection, "S1", "L1", None, at(60))
        then = await explaining.explain(connection, "S1", "L1", between["now"], at(60))  # type: ignore[arg-type]  # a moment

    assert (only(now)["suspended"], only(then)["suspended"]) == (False, True)
    assert [short["order_id"] for short in only(then)["shorts"]] == ["O1"]
