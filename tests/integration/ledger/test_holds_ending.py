"""How holds end: they run out, are extended or released, or become lines of an order."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from services.ledger.handlers.reserving import Conflict
from services.ledger.handlers.timing import DatabaseClock
from shared.contracts.holds import Confirm, Extend, Hold, HoldState, Purpose
from shared.runtime.clock import ManualClock
from shared.testing.messages import NOON
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2", "L3"))
        yield opened
        assert await opened.miscounted() == []
        assert await ledger.unbalanced() == []


async def test_an_expired_hold_refuses_nobody_and_shows_nowhere(counter: Counter) -> None:
    await counter.receive(2)
    await counter.hold(a_line(2), hold_id="old", ttl_seconds=60)
    assert (await counter.hold(a_line(2))).state is HoldState.REFUSED

    counter.ledger.clock.advance(seconds=60)

    told = await counter.holding.read("old")
    assert told is not None
    assert told.state is HoldState.EXPIRED
    assert await counter.holding.open_at("L1", None, 0) == []
    assert (await counter.hold(a_line(2), hold_id="new")).state is HoldState.HELD
    assert await counter.reserved() == 2


async def test_expired_hold_counter_falls_when_the_owner_settles_it(counter: Counter) -> None:
    await counter.receive(9)
    await counter.hold(a_line(2), ttl_seconds=60)
    await counter.hold(a_line(3), ttl_seconds=90)
    assert await counter.expiring.turn() == 0
    counter.ledger.clock.advance(seconds=60)

    assert await counter.expiring.turn() == 1

    assert await counter.reserved() == 3
    assert await counter.expiring.turn() == 0


async def test_an_extended_hold_lasts_and_an_expired_one_stays_so(counter: Counter) -> None:
    await counter.receive(9)
    await counter.hold(a_line(2), hold_id="kept", ttl_seconds=60)
    await counter.hold(a_line(3), hold_id="gone", ttl_seconds=60)
    counter.ledger.clock.advance(seconds=59)
    await counter.holding.extend("kept", Extend(ttl_seconds=60))
    counter.ledger.clock.advance(seconds=1)

    late = await counter.holding.extend("gone", Extend(ttl_seconds=60))

    assert late is not None
    assert late.state is HoldState.EXPIRED
    assert await counter.expiring.turn() == 1
    assert await counter.reserved() == 2
    assert await counter.holding.extend("never", Extend(ttl_seconds=60)) is None


async def test_a_hold_of_a_ring_fence_has_no_end_unless_it_says_so(counter: Counter) -> None:
    await counter.receive(9)
    fence = await counter.hold(a_line(2, "S1", "L1"), purpose=Purpose.RING_FENCE, channel=None)
    cart = await counter.hold(a_line(2))

    assert fence.until is None
    assert cart.until == counter.ledger.clock.now() + timedelta(seconds=900)


async def test_released_units_serve_the_order_that_waits_for_them(counter: Counter) -> None:
    await counter.receive(2)
    await counter.hold(a_line(2), hold_id="cart-1")
    await counter.ledger.command({"order_id": "O1", "wanted": 2})
    shorts = "select short from ledger.order_lines"
    assert await counter.ledger.ask(shorts) == [{"short": 2}]

    await counter.holding.release("cart-1")
    assert (await counter.hold(a_line(1))).state is HoldState.REFUSED
    assert await counter.ledger.handler.book_due(10) == 1

    assert await counter.ledger.ask(shorts) == [{"short": 0}]


async def test_a_confirmed_hold_is_its_order_lines_row(counter: Counter) -> None:
    await counter.receive(10)
    await counter.receive(3, location="L2")
    await counter.hold(a_line(13), hold_id="cart-1")

    confirmed = await counter.holding.confirm("cart-1", Confirm(order_id="O1", line_ids=("1",)))

    assert isinstance(confirmed, Hold)
    assert confirmed.state is HoldState.CONFIRMED
    assert await counter.ledger.level() == {"sellable": 10, "reserved": 0, "allocated": 10}
    again = await counter.holding.confirm("cart-1", Confirm(order_id="O1", line_ids=("1",)))
    assert again == confirmed

    command = {"order_id": "O1", "wanted": 13, "candidates": ["L1", "L2"], "may_split": True}
    await counter.ledger.command(command)
    assert await counter.ledger.level() == {"sellable": 10, "reserved": 0, "allocated": 10}
    assert (await counter.ledger.level(location="L2"))["allocated"] == 3


async def test_a_command_before_the_confirmation_claims_its_units_once(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(3), hold_id="cart-1")
    await counter.ledger.command({"order_id": "O1", "wanted": 3})
    assert await counter.ledger.ask("select short from ledger.order_lines") == [{"short": 3}]

    await counter.holding.confirm("cart-1", Confirm(order_id="O1", line_ids=("1",)))

    assert await counter.ledger.level() == {"sellable": 3, "reserved": 0, "allocated": 3}
    assert await counter.ledger.ask("select short from ledger.order_lines") == [{"short": 0}]


async def test_a_hold_that_has_ended_becomes_no_order(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(3), hold_id="cart-1", ttl_seconds=60)
    counter.ledger.clock.advance(seconds=60)
    to_order = Confirm(order_id="O1", line_ids=("1",))

    assert isinstance(await counter.holding.confirm("cart-1", to_order), Conflict)

    assert await counter.ledger.ask("select * from ledger.order_lines") == []
    assert await counter.holding.confirm("never", to_order) is None


async def test_a_confirmed_hold_becomes_no_other_order(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(3), hold_id="cart-1")
    await counter.holding.confirm("cart-1", Confirm(order_id="O1", line_ids=("1",)))

    other = await counter.holding.confirm("cart-1", Confirm(order_id="O2", line_ids=("1",)))

    assert isinstance(other, Conflict)


async def test_two_processes_agree_on_the_time_whatever_their_own_clocks_say(
    ledger: LedgerBench,
) -> None:
    ahead = ManualClock(NOON + timedelta(hours=5))
    clocks = [DatabaseClock(ledger.pool, one, asyncio.Event()) for one in (ledger.clock, ahead)]

    for clock in clocks:
        await clock.look()

    told = await ledger.ask("select clock_timestamp() as now")
    assert abs(clocks[0].now() - clocks[1].now()) < timedelta(seconds=5)
    assert abs(clocks[0].now() - told[0]["now"]) < timedelta(seconds=5)  # type: ignore[operator]  # a moment of an untyped row


async def test_batches_are_kept_short_while_holds_come_in(counter: Counter) -> None:
    await counter.receive(9)
    await counter.hold(a_line(1))
    await counter.expiring.turn()
    assert not counter.expiring.has_company()

    await counter.hold(a_line(1))
    await counter.expiring.turn()

    assert counter.expiring.has_company()
    counter.ledger.clock.advance(seconds=1)
    assert not counter.expiring.has_company()
