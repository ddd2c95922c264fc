"""Lots on a real ledger: expired ones leave the sale, short-dated ones the distance; traces."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from services.ledger.handlers.shelving import Shelving
from shared.contracts.holds import HoldState
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing
from shared.testing.messages import a_message, a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    a_policy,
    open_counter,
    reasons,
)

TODAY = at(0).date()
Told = dict[str, object]


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(
            a_channel("web", "L1"), {"kind": "product", "sku": "S1", "tracks_expiry": True}
        )
        yield opened
        assert await ledger.unbalanced() == []


async def send(ledger: LedgerBench, told: Sequence[Outgoing]) -> None:
    """What the ledger tells comes back to it."""
    for one in told:
        start = ledger.offsets.get(one.topic, 0)
        headers = {name: value.decode() for name, value in one.headers}
        message = a_message(
            one.value or b"", offset=start, topic=one.topic, ce_id=headers["ce_id"],
            source=headers["ce_source"],
        )  # fmt: skip
        await ledger.tell(one.topic, [message])


async def shelve(ledger: LedgerBench, *, is_lost: bool = False) -> list[Outgoing]:
    """One turn; what it tells arrives, or is lost with the process."""
    told: list[Outgoing] = []

    async def sent(messages: Sequence[Outgoing]) -> None:
        told.extend(messages)
        await send(ledger, messages)
        if is_lost:
            raise ConnectionResetError

    shelving = Shelving(ledger.pool, sent, ledger.clock, asyncio.Event(), is_first=lambda: True)
    await shelving.turn()
    return told


async def settle(ledger: LedgerBench) -> None:
    while await shelve(ledger):
        pass


def a_lot(code: str, days: int | None) -> Told:
    expires = {} if days is None else {"expires_on": (TODAY + timedelta(days=days)).isoformat()}
    return {"lot": {"code": code, **expires}}


def receipt(units: int, code: str, days: int | None, minute: float = 0, **more: object) -> Told:
    told = {"type": "receipt", "quantity": units, "occurred_at": at(minute).isoformat()}
    return a_movement(**(told | a_lot(code, days) | more))


async def lots(counter: Counter, **query: object) -> list[tuple[str | None, int]]:
    async with counter.http() as client:
        params = {key: str(value) for key, value in query.items()}
        answer = await client.get("/v1/lots", params=params)
    return [(one["lot"], one["units"]) for one in answer.json()["lots"]]


def pass_days(ledger: LedgerBench, days: float) -> None:
    ledger.clock.advance(seconds=days * 86_400)


async def test_sales_that_name_no_lot_take_what_expires_first(counter: Counter) -> None:
    await counter.ledger.move(receipt(5, "late", 30), receipt(5, "soon", 3), a_movement(quantity=3))

    assert await lots(counter, sku="S1") == [("soon", 2), ("late", 5)]
    assert await lots(counter, expiring_by=TODAY + timedelta(days=3)) == [("soon", 2)]


async def test_a_movement_that_names_its_lot_takes_that_one(counter: Counter) -> None:
    await counter.ledger.move(
        receipt(5, "late", 30), receipt(5, "soon", 3), a_movement(quantity=3, **a_lot("late", 30))
    )

    assert await lots(counter, sku="S1") == [("soon", 5), ("late", 2)]


async def test_what_a_lot_loses_off_the_shelf_is_not_taken_from_it_again(counter: Counter) -> None:
    off = {"from": {"bucket": "quality_hold"}, "reason": {"code": "bad"}} | a_lot("A", 30)
    await counter.ledger.move(
        receipt(5, "A", 30),
        a_movement(type="inspection", quantity=2, occurred_at=at(3).isoformat(),
                   **{"from": {"bucket": "sellable"}, "to": {"bucket": "quality_hold"}},
                   **a_lot("A", 30)),
        a_movement(type="disposal", quantity=2, occurred_at=at(5).isoformat(), **off),
    )  # fmt: skip

    assert await lots(counter, sku="S1") == [("A", 3)]


async def test_an_expired_lot_leaves_the_sale_the_day_after_and_only_once(counter: Counter) -> None:
    ledger = counter.ledger
    await ledger.move(receipt(5, "soon", 3), receipt(4, "late", 30))
    await settle(ledger)
    pass_days(ledger, 3)
    await settle(ledger)
    assert await ledger.sellable() == 9

    pass_days(ledger, 1)
    await settle(ledger)
    await settle(ledger)

    level = await ledger.level()
    assert (level["sellable"], level["quality_hold"]) == (4, 5)
    assert reasons(await counter.hold(a_line(5))) == [("quantity_exceeds_offered", 5, 4)]
    assert await ledger.parked() == {}


async def test_a_crash_before_it_is_noted_takes_nothing_twice(counter: Counter) -> None:
    ledger = counter.ledger
    await ledger.move(receipt(5, "old", -2), receipt(4, "late", 30))

    for _ in range(2):
        with pytest.raises(ConnectionResetError):
            await shelve(ledger, is_lost=True)
    await settle(ledger)

    assert (await ledger.level())["sellable"] == 4
    assert (await ledger.level())["quality_hold"] == 5


async def test_what_was_told_and_has_not_arrived_is_told_again_as_the_same_fact(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await ledger.move(receipt(5, "old", -2))
    told: list[Outgoing] = []

    async def kept(messages: Sequence[Outgoing]) -> None:
        told.extend(messages)
        raise ConnectionResetError

    for _ in range(2):
        shelving = Shelving(ledger.pool, kept, ledger.clock, asyncio.Event(), is_first=lambda: True)
        with pytest.raises(ConnectionResetError):
            await shelving.turn()
        pass_days(ledger, 0.001)
    await send(ledger, told)

    assert (await ledger.level())["quality_hold"] == 5


async def test_a_count_that_found_an_expired_lot_on_sale_is_before_its_leaving(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await ledger.move(receipt(5, "old", -2, minute=-10))
    await ledger.move(a_movement(type="count", quantity=4, occurred_at=at(20).isoformat()))
    await settle(ledger)

    assert await ledger.sellable() == 0
    assert (await ledger.level())["quality_hold"] == 4


async def test_a_lot_expires_at_the_midnight_of_its_place(counter: Counter) -> None:
    ledger = counter.ledger
    await counter.refer(
        {"kind": "location", "location_id": "L1", "location_kind": "store", "revision": 9,
         "time_zone": "Asia/Tokyo"}
    )  # fmt: skip
    await ledger.move(receipt(5, "soon", 0))
    await settle(ledger)
    assert await ledger.sellable() == 5

    midnight = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=ZoneInfo("Asia/Tokyo"))
    ledger.clock.advance(
        seconds=(midnight + timedelta(days=1) - ledger.clock.now()).total_seconds() - 1
    )
    await settle(ledger)
    assert await ledger.sellable() == 5
    ledger.clock.advance(seconds=1)
    await settle(ledger)

    assert await ledger.sellable() == 0


async def test_short_dated_units_are_offered_at_no_distance_besides_the_buffer(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await counter.refer(
        a_policy("expiry_days", 10), a_policy("location_buffer", 2), {
            "kind": "channel", "channel": "till-1", "channel_kind": "store", "pool": ["L1"]}
    )  # fmt: skip
    await ledger.move(receipt(5, "soon", 3), receipt(6, "late", 30))
    await settle(ledger)

    assert reasons(await counter.hold(a_line(5))) == [("quantity_exceeds_offered", 5, 4)]
    till = await counter.hold(a_line(11), channel="till-1", hold_id="till")
    assert till.state is HoldState.HELD


async def test_short_dated_units_come_back_when_they_are_sold_or_fewer_days_are_asked(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await counter.refer(a_policy("expiry_days", 10))
    await ledger.move(receipt(5, "soon", 3), receipt(6, "late", 30))
    await settle(ledger)
    await ledger.move(a_movement(quantity=4, occurred_at=at(5).isoformat()))
    await settle(ledger)
    assert reasons(await counter.hold(a_line(7))) == [("quantity_exceeds_offered", 7, 6)]

    await counter.refer(a_policy("expiry_days", 10) | {"value": 2, "revision": 2})
    await settle(ledger)

    assert (await counter.hold(a_line(7), hold_id="all")).state is HoldState.HELD


async def test_what_becomes_short_dated_by_time_alone_is_told_the_day_it_does(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await counter.refer(a_policy("expiry_days", 10))
    await ledger.move(receipt(5, "A", 11))
    await settle(ledger)
    assert (await counter.hold(a_line(1))).state is HoldState.HELD

    pass_days(ledger, 2)
    await settle(ledger)

    assert reasons(await counter.hold(a_line(1), hold_id="x")) == [
        ("quantity_exceeds_offered", 1, 0)
    ]


async def test_skus_without_lots_are_never_looked_at(counter: Counter) -> None:
    await counter.ledger.move(receipt(5, "old", -2, sku="S2"))

    assert await shelve(counter.ledger) == []
    assert await lots(counter) == []


async def test_a_count_of_one_lot_is_parked_rather_than_taken_for_the_whole(
    counter: Counter,
) -> None:
    await counter.ledger.move(receipt(5, "A", 3), receipt(5, "B", 9))
    await counter.ledger.move(a_movement(type="count", quantity=4, **a_lot("A", 3)))

    assert await counter.ledger.parked() == {"lot_scoped": 1}
    assert await counter.ledger.sellable() == 10


@pytest.mark.parametrize("order", [(0, 1, 2, 3), (3, 2, 1, 0), (1, 3, 0, 2)])
async def test_a_shelf_opened_lot_by_lot_has_the_lots_named_from_then_on(
    counter: Counter, order: Sequence[int]
) -> None:
    told = [
        receipt(10, "old", 30, -60),
        receipt(4, "A", 3, type="opening"),
        receipt(6, "B", 9, type="opening"),
        receipt(2, "C", 20, 5),
    ]
    for place in order:
        await counter.ledger.move(told[place])

    assert await counter.ledger.sellable() == 12
    assert await lots(counter, sku="S1") == [("A", 4), ("B", 6), ("C", 2)]


async def test_an_opening_of_the_whole_shelf_leaves_the_lots_as_they_were_named(
    counter: Counter,
) -> None:
    await counter.ledger.move(receipt(10, "A", 30, -60))
    await counter.ledger.move(a_movement(type="opening", quantity=7, occurred_at=at(0)))

    assert await lots(counter, sku="S1") == [("A", 7)]


async def traced(counter: Counter, **query: str) -> list[dict[str, Any]]:
    async with counter.http() as client:
        answer = await client.get("/v1/traces/S1", params=query)
        assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["movements"]
    return found


async def test_a_lot_is_traced_from_its_receipt_to_who_has_it(counter: Counter) -> None:
    line = {"order_line": {"order_id": "O1", "line_id": "1"}}
    await counter.ledger.move(
        receipt(5, "A", 30), receipt(5, "B", 30),
        a_movement(type="shipment", quantity=2, occurred_at=at(9).isoformat(), **a_lot("A", 30),
                   **line),
    )  # fmt: skip

    found = await traced(counter, lot="A")

    assert [(one["type"], one["quantity"], one["to_bucket"]) for one in found] == [
        ("receipt", 5, "sellable"), ("shipment", 2, "customer"),
    ]  # fmt: skip
    assert found[1]["details"]["order_line"] == line["order_line"]


async def test_a_serial_number_is_traced_to_where_it_is(counter: Counter) -> None:
    await counter.ledger.move(
        receipt(2, "A", None, serials=["X1", "X2"]),
        a_movement(quantity=1, occurred_at=at(5).isoformat(), serials=["X2"]),
    )

    assert [one["type"] for one in await traced(counter, serial="X1")] == ["receipt"]
    found = await traced(counter, serial="X2")
    assert [(one["type"], one["to_bucket"]) for one in found] == [
        ("receipt", "sellable"), ("sale", "customer"),
    ]  # fmt: skip
    after = {"after": found[0]["occurred_at"], "after_id": found[0]["event_id"]}
    assert len(await traced(counter, serial="X2", **after)) == 1


async def test_asking_for_nothing_to_trace_is_refused(counter: Counter) -> None:
    async with counter.http() as client:
        assert (await client.get("/v1/traces/S1")).status_code == 422
        assert (await client.get("/v1/traces/S1?lot=A&serial=X")).status_code == 422


async def test_what_is_told_goes_to_the_topics_of_its_kind(counter: Counter) -> None:
    await counter.refer(a_policy("expiry_days", 10))
    await counter.ledger.move(receipt(5, "old", -2), receipt(5, "soon", 3))

    told = await shelve(counter.ledger)

    assert sorted({one.topic for one in told}) == sorted(
        [REFERENCE_DATA.name, STOCK_MOVEMENTS.name]
    )
