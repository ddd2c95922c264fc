"""Holds that customers come for: they end at closing time, and nobody came is told."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from pydantic import ValidationError

from shared.contracts.holds import EndReason, Extend, HoldState, Purpose
from shared.contracts.orders import Method
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(
            a_channel("web", "L1", "L2"), a_store("L1"), a_store("L2"), a_calendar("19:00")
        )
        await opened.receive(5)
        yield opened
        assert await opened.miscounted() == []


def a_store(name: str) -> dict[str, object]:
    return {
        "kind": "location", "location_id": name, "location_kind": "store",
        "time_zone": "Europe/Paris", "calendar": f"cal-{name}",
    }  # fmt: skip


def a_calendar(closes: str, *, revision: int = 1) -> dict[str, object]:
    return {
        "kind": "calendar", "calendar_id": "cal-L1", "revision": revision,
        "opening_hours": [{"day": day, "opens": "09:00", "closes": closes} for day in DAYS],
    }  # fmt: skip


def tomorrow(counter: Counter, hour: int) -> datetime:
    """An hour of UTC on the day after today; Paris is two ahead in June."""
    return (counter.ledger.clock.now() + timedelta(days=1)).astimezone(UTC).replace(
        hour=hour, minute=0, second=0, microsecond=0
    )  # fmt: skip


async def test_a_reservation_in_a_store_ends_when_it_closes_on_the_next_open_day(
    counter: Counter,
) -> None:
    held = await counter.hold(a_line(1, "S1", "L1"), purpose=Purpose.IN_STORE)
    collected = await counter.hold(
        a_line(1, "S1", "L1"), purpose=Purpose.ORDER, method=Method.COLLECT
    )  # fmt: skip
    shipped = await counter.hold(a_line(1, "S1", "L1"), purpose=Purpose.ORDER, method=Method.HOME)

    assert held.until == collected.until == tomorrow(counter, 17)
    assert shipped.until == counter.ledger.clock.now() + timedelta(seconds=900)


async def test_new_opening_hours_hold_from_the_next_request_on(counter: Counter) -> None:
    await counter.hold(a_line(1, "S1", "L1"), purpose=Purpose.IN_STORE)

    await counter.refer(a_calendar("20:00", revision=2))

    held = await counter.hold(a_line(1, "S1", "L1"), purpose=Purpose.IN_STORE)
    assert held.until == tomorrow(counter, 18)


async def test_a_cart_may_ask_for_closing_time_and_a_hold_be_extended_to_it(
    counter: Counter,
) -> None:
    asked = await counter.hold(a_line(1, "S1", "L1"), closing_of_next_open_day=True)
    await counter.hold(a_line(1, "S1", "L1"), hold_id="cart")

    extended = await counter.holding.extend("cart", Extend(closing_of_next_open_day=True))

    assert extended is not None
    assert asked.until == extended.until == tomorrow(counter, 17)
    with pytest.raises(ValidationError, match="names the locations"):
        await counter.hold(a_line(1), closing_of_next_open_day=True)


async def test_a_store_without_hours_keeps_a_reservation_for_a_day(counter: Counter) -> None:
    await counter.receive(1, location="L2")

    held = await counter.hold(a_line(1, "S1", "L2"), purpose=Purpose.IN_STORE)

    assert held.until == counter.ledger.clock.now() + timedelta(days=1)


async def test_who_does_not_come_is_told_apart_from_who_left_a_cart(counter: Counter) -> None:
    await counter.hold(a_line(1, "S1", "L1"), purpose=Purpose.IN_STORE, hold_id="store")
    await counter.hold(a_line(1), hold_id="cart")
    counter.ledger.clock.advance(seconds=3 * 86_400)
    before = await counter.holding.read("store")

    await counter.expiring.turn()

    store, cart = await counter.holding.read("store"), await counter.holding.read("cart")
    assert store == before
    assert store is not None
    assert cart is not None
    assert (store.state, store.reason) == (HoldState.EXPIRED, EndReason.NO_SHOW)
    assert (cart.state, cart.reason) == (HoldState.EXPIRED, None)
    rows = await counter.ledger.ask("select reason from ledger.holds where reason is not null")
    assert rows == [{"reason": "no_show"}]
