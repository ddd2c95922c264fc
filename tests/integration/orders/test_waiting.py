"""Lines whose channel, listing or SKU nobody knows yet, and how they are released."""

import asyncio
from datetime import timedelta

import pytest

from services.orders.domain.sourcing import PoolOrder
from services.orders.handlers.batch import OrdersHandler
from shared.postgres.connecting import Connection
from shared.testing.messages import NOON
from shared.testing.waiting import until
from tests.integration.orders.bench import S1, WEB, Json, OrdersBench, a_line, an_order

LISTING: Json = {
    "kind": "listing",
    "channel": "web",
    "listing_id": "A1",
    "sku": "S1",
    "units_per_listing": 6,
}
BY_LISTING = {"line_id": "1", "listing": "A1", "quantity": 2, "cancelled": 1}


async def test_a_listing_is_translated_into_base_units_of_its_sku(orders: OrdersBench) -> None:
    await orders.refer(LISTING)

    await orders.order(an_order(BY_LISTING))

    assert await orders.wish() == ("S1", 6, ["L1", "L2"])


@pytest.mark.parametrize(
    ("missing", "reason"),
    [(0, "unknown_channel"), (1, "unknown_listing"), (2, "unknown_sku")],
)
async def test_a_line_waits_for_what_is_unknown_and_is_released_by_itself(
    bare: OrdersBench, missing: int, reason: str
) -> None:
    records = [WEB, LISTING, S1]
    await bare.refer(*(r for place, r in enumerate(records) if place != missing))
    await bare.order(an_order(BY_LISTING))
    assert (await bare.line())["reason"] == reason
    assert await bare.states.waiting() == {reason: 1}
    assert await bare.sent() == []

    await bare.refer(records[missing])

    assert await bare.wish() == ("S1", 6, ["L1", "L2"])
    assert await bare.states.waiting() == {}
    assert len(await bare.sent()) == 1


async def test_a_waiting_line_does_not_hold_up_its_order(orders: OrdersBench) -> None:
    await orders.order(an_order(BY_LISTING, a_line(line_id="2")))

    assert [c["line_id"] for c in await orders.commands()] == ["2"]


async def test_an_order_that_is_cancelled_while_it_waits_sends_nothing(
    orders: OrdersBench,
) -> None:
    await orders.order(an_order(BY_LISTING))
    await orders.order(an_order(BY_LISTING, version=2, state="cancelled"))

    await orders.refer(LISTING)

    assert await orders.commands() == []


async def test_a_listing_that_was_wrong_and_is_corrected_changes_the_sku(
    orders: OrdersBench,
) -> None:
    await orders.refer(LISTING)
    await orders.order(an_order(BY_LISTING))

    await orders.refer(LISTING | {"sku": "S2", "revision": 1})

    assert [(c["sku"], c["wanted"]) for c in await orders.commands()] == [("S1", 0), ("S2", 6)]


async def test_an_order_does_not_follow_a_listing_that_moves_after_it(
    orders: OrdersBench,
) -> None:
    await orders.refer(LISTING | {"until": "2026-06-01T10:00:00Z"})
    await orders.order(an_order(BY_LISTING))

    await orders.refer(LISTING | {"sku": "S2", "from": "2026-06-01T10:00:00Z"})

    assert await orders.wish() == ("S1", 6, ["L1", "L2"])


async def test_a_cancel_reaches_the_ledger_when_the_listing_was_taken_back(
    orders: OrdersBench,
) -> None:
    await orders.refer(LISTING)
    await orders.order(an_order(BY_LISTING | {"quantity": 3}))
    await orders.refer(LISTING | {"deleted": True, "revision": 1})

    await orders.order(an_order(BY_LISTING, version=2))

    assert await orders.wish() == ("S1", 6, ["L1", "L2"])


async def test_a_listing_of_too_many_units_waits(orders: OrdersBench) -> None:
    await orders.refer(LISTING | {"units_per_listing": 10**9})

    await orders.order(an_order(BY_LISTING | {"quantity": 10**9}))

    assert (await orders.line())["reason"] == "quantity_too_large"
    assert await orders.commands() == []


async def test_an_older_record_does_not_replace_a_newer_one(orders: OrdersBench) -> None:
    await orders.refer(WEB | {"pool": ["L9"], "revision": 5})
    await orders.refer(WEB | {"pool": ["L8"], "revision": 4})

    await orders.order(an_order())

    assert await orders.wish() == ("S1", 2, ["L9"])


async def test_a_pool_that_begins_later_takes_over_when_its_time_has_come(
    orders: OrdersBench,
) -> None:
    begins = NOON + timedelta(hours=2)
    await orders.order(an_order())
    await orders.refer(WEB | {"pool": ["L5"], "from": begins.isoformat()})
    assert await orders.wish() == ("S1", 2, ["L1", "L2"])

    orders.clock.advance(seconds=3600)
    await orders.settle()

    assert await orders.wish() == ("S1", 2, ["L5"])


def handler_on(connection: Connection, bench: OrdersBench) -> OrdersHandler:
    """A handler whose batches run on this connection."""

    async def batch_connection() -> Connection:
        return connection

    return OrdersHandler(
        batch_connection, PoolOrder(), bench.clock, woken=lambda: None, undecided=lambda: None
    )


async def stuck_or_through(bench: OrdersBench, beside: asyncio.Task[None]) -> bool:
    """Has the other batch ended, or does it wait for a lock?"""
    waiting = await bench.ask(
        "select pid from pg_stat_activity where datname = current_database()"
        " and wait_event_type = 'Lock'"
    )
    return beside.done() or bool(waiting)


async def test_reference_data_that_comes_before_its_order_has_committed_releases_it(
    orders: OrdersBench,
) -> None:
    order = await orders.batch("orders-v1", [an_order(BY_LISTING)])
    listing = await orders.batch("reference-data-v1", [LISTING])
    async with orders.pool.acquire(timeout=5) as one, orders.pool.acquire(timeout=5) as two:
        first, second = handler_on(one, orders), handler_on(two, orders)
        async with one.transaction():  # the order looked in vain, and has not committed
            await first.apply(order, await first.decode(order))
            beside = asyncio.create_task(second.apply(listing, await second.decode(listing)))
            await until(lambda: stuck_or_through(orders, beside), seconds=1.5)
        await beside
    await orders.settle()

    assert await orders.wish() == ("S1", 6, ["L1", "L2"])


async def test_an_order_that_comes_before_its_reference_data_has_committed_waits_for_it(
    orders: OrdersBench,
) -> None:
    order = await orders.batch("orders-v1", [an_order(BY_LISTING)])
    listing = await orders.batch("reference-data-v1", [LISTING])
    async with orders.pool.acquire(timeout=5) as one, orders.pool.acquire(timeout=5) as two:
        first, second = handler_on(one, orders), handler_on(two, orders)
        async with two.transaction():  # the listing found nobody to note, and has not committed
            await second.apply(listing, await second.decode(listing))
            beside = asyncio.create_task(first.apply(order, await first.decode(order)))
            await until(lambda: stuck_or_through(orders, beside), seconds=1.5)
        await beside
    await orders.settle()

    assert await orders.wish() == ("S1", 6, ["L1", "L2"])
