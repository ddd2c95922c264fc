"""Holds of kits: kits that stand made up and kits of parts, whole or not at all."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.ledger.handlers.reserving import Conflict
from shared.contracts.holds import Confirm, Extend, Hold, HoldRequest, HoldState, Purpose
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    a_policy,
    open_counter,
    reasons,
    units,
)

KIT = [{"sku": "LAMP", "quantity": 2}, {"sku": "BULB", "quantity": 1}]
DUO: dict[str, object] = {"kind": "product", "sku": "DUO", "kit": KIT}


@pytest.fixture
def known_skus() -> list[str]:
    return ["LAMP", "BULB", "S1"]


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2"), DUO)
        yield opened


async def fill(counter: Counter, location: str, **quantities: int) -> None:
    for sku, quantity in quantities.items():
        await counter.receive(quantity, sku, location)


async def held(counter: Counter, column: str = "reserved") -> dict[tuple[str, str], int]:
    """Units by SKU and location that are `reserved`, or `allocated`."""
    rows = await counter.ledger.ask(
        f"select sku, location, {column}::int as n from ledger.levels"
        " join ledger.skus using (sku_id) join ledger.locations using (location_id)"
        f" where {column} <> 0"
    )
    return {(str(row["sku"]), str(row["location"])): int(str(row["n"])) for row in rows}


async def confirm(counter: Counter, hold: Hold) -> Hold | Conflict | None:
    """The hold becomes line 1 of order O1."""
    return await counter.holding.confirm(hold.hold_id, Confirm(order_id="O1", line_ids=("1",)))


def a_request(sku: str) -> HoldRequest:
    return HoldRequest(purpose=Purpose.CART, channel="web", lines=(a_line(1, sku),))


async def test_a_kit_is_held_in_its_parts_and_answered_in_kits(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=5, BULB=5)

    hold = await counter.hold(a_line(2, "DUO"))

    assert (hold.state, units(hold)) == (HoldState.HELD, [{"L1": 2}])
    assert await held(counter) == {("LAMP", "L1"): 4, ("BULB", "L1"): 2}
    assert await counter.holding.read(hold.hold_id) == hold
    assert await counter.miscounted() == []


async def test_kits_made_up_go_first_and_parts_that_lie_apart_make_none(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=9)
    await fill(counter, "L2", DUO=1, LAMP=2, BULB=1)

    hold = await counter.hold(a_line(2, "DUO"))
    refused = await counter.hold(a_line(1, "DUO"))

    assert units(hold) == [{"L2": 2}]
    assert await held(counter) == {("DUO", "L2"): 1, ("LAMP", "L2"): 2, ("BULB", "L2"): 1}
    assert reasons(refused) == [("quantity_exceeds_offered", 1, 0)]


async def test_all_or_none_and_what_would_have_been_possible_is_told_in_kits(
    counter: Counter,
) -> None:
    await fill(counter, "L1", LAMP=5, BULB=5)

    refused = await counter.hold(a_line(3, "DUO"), hold_id="whole")
    part = await counter.hold(a_line(3, "DUO"), partial=True)

    assert reasons(refused) == [("quantity_exceeds_offered", 3, 2)]
    assert (units(part), reasons(part)) == ([{"L1": 2}], [("quantity_exceeds_offered", 1, 2)])
    again = await counter.holding.read(part.hold_id)
    assert again == part
    assert await counter.hold(a_line(3, "DUO"), hold_id="whole") == refused


async def test_a_cart_of_a_kit_and_its_part_counts_their_demand_together(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=3, BULB=1)

    refused = await counter.hold(a_line(1, "DUO"), a_line(2, "LAMP"))
    hold = await counter.hold(a_line(1, "DUO"), a_line(1, "LAMP"))

    assert refused.state is HoldState.REFUSED
    assert units(hold) == [{"L1": 1}, {"L1": 1}]
    assert await held(counter) == {("LAMP", "L1"): 3, ("BULB", "L1"): 1}


async def test_a_kit_is_split_over_places_unless_that_is_forbidden(counter: Counter) -> None:
    for place in ("L1", "L2"):
        await fill(counter, place, LAMP=2, BULB=1)

    refused = await counter.hold(a_line(2, "DUO", may_split=False))
    hold = await counter.hold(a_line(2, "DUO"))

    assert reasons(refused) == [("quantity_exceeds_offered", 2, 1)]
    assert units(hold) == [{"L1": 1, "L2": 1}]


async def test_a_parts_buffer_and_what_is_owed_of_it_bind_the_kit(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=6, BULB=9)
    await counter.refer(a_policy("location_buffer", 1, sku="LAMP"))
    await counter.ledger.command(
        {"order_id": "owed", "sku": "LAMP", "wanted": 2, "candidates": ["L2"]}
    )

    refused = await counter.hold(a_line(2, "DUO"))

    assert reasons(refused) == [("quantity_exceeds_offered", 2, 1)]


async def test_a_released_and_an_expired_hold_give_all_parts_back(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=4, BULB=2)
    first = await counter.hold(a_line(1, "DUO"))
    await counter.hold(a_line(1, "DUO"), ttl_seconds=60)

    await counter.holding.release(first.hold_id)
    counter.ledger.clock.advance(seconds=61)

    assert units(await counter.hold(a_line(2, "DUO"))) == [{"L1": 2}]
    assert await counter.miscounted() == []


async def test_a_kit_hold_can_be_extended(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=2, BULB=1)
    hold = await counter.hold(a_line(1, "DUO"), ttl_seconds=60)

    await counter.holding.extend(hold.hold_id, Extend(ttl_seconds=600))
    counter.ledger.clock.advance(seconds=61)

    assert (await counter.hold(a_line(1, "DUO"))).state is HoldState.REFUSED


async def test_a_confirmed_hold_is_the_kits_line_and_its_command_changes_nothing(
    counter: Counter,
) -> None:
    await fill(counter, "L2", DUO=1)
    await fill(counter, "L1", LAMP=2, BULB=1)
    hold = await counter.hold(a_line(2, "DUO"))

    confirmed = await confirm(counter, hold)
    booked = await held(counter, "allocated")
    again = await confirm(counter, hold)
    await counter.ledger.command(
        {"order_id": "O1", "sku": "DUO", "wanted": 2, "kit": KIT, "may_split": True,
         "candidates": ["L1", "L2", "L3"]}
    )  # fmt: skip

    assert isinstance(confirmed, Hold)
    assert (confirmed.state, units(confirmed)) == (HoldState.CONFIRMED, units(hold))
    assert again == confirmed
    assert booked == {("DUO", "L2"): 1, ("LAMP", "L1"): 2, ("BULB", "L1"): 1}
    assert await held(counter, "allocated") == booked
    assert await held(counter) == {}
    shorts = await counter.ledger.ask("select * from ledger.order_lines where short > 0")
    assert shorts == []


async def test_a_hold_confirmed_after_its_orders_command_gives_its_units_to_that_line(
    counter: Counter,
) -> None:
    await fill(counter, "L1", LAMP=2, BULB=1)
    hold = await counter.hold(a_line(1, "DUO"))
    await counter.ledger.command({"order_id": "O1", "sku": "DUO", "wanted": 1, "kit": KIT})
    assert await counter.ledger.ask("select 1 as x from ledger.order_lines where short > 0") != []

    await confirm(counter, hold)
    while await counter.ledger.handler.book_due(100):
        pass

    assert await held(counter, "allocated") == {("LAMP", "L1"): 2, ("BULB", "L1"): 1}
    assert await counter.ledger.ask("select 1 as x from ledger.order_lines where short > 0") == []


async def test_a_released_kit_goes_to_the_line_that_is_short_of_the_kits_parts(
    counter: Counter,
) -> None:
    await fill(counter, "L1", DUO=1)
    hold = await counter.hold(a_line(1, "DUO"))
    await counter.ledger.command({"order_id": "O1", "sku": "DUO", "wanted": 1, "kit": KIT})
    while await counter.ledger.handler.book_due(100):
        pass

    await counter.holding.release(hold.hold_id)
    await counter.ledger.handler.book_due(100)

    assert await held(counter, "allocated") == {("DUO", "L1"): 1}


async def test_parts_that_are_shipped_after_the_confirmation_are_the_kit(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=4, BULB=2)
    await confirm(counter, await counter.hold(a_line(1, "DUO")))

    for sku, quantity in (("LAMP", 2), ("BULB", 1)):
        await counter.ledger.move(
            {"type": "shipment", "sku": sku, "location": "L1", "quantity": quantity,
             "occurred_at": "2026-06-01T12:00:00Z",
             "order_line": {"order_id": "O1", "line_id": "1"}},
        )  # fmt: skip

    assert await held(counter, "allocated") == {}
    assert await counter.ledger.sellable("LAMP") == 2


async def test_a_composition_that_changes_counts_for_the_next_hold(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=4, BULB=2)
    first = await counter.hold(a_line(1, "DUO"))

    await counter.refer(DUO | {"kit": [{"sku": "BULB", "quantity": 1}], "revision": 1})
    await counter.hold(a_line(1, "DUO"))

    assert await held(counter) == {("LAMP", "L1"): 2, ("BULB", "L1"): 2}
    assert await counter.holding.read(first.hold_id) == first


async def test_concurrent_holds_of_kit_and_part_never_take_a_unit_twice(counter: Counter) -> None:
    await fill(counter, "L1", LAMP=6, BULB=6)
    async with open_counter(counter.ledger) as other:
        asked = [
            (counter if place % 2 else other).holding.reserve(
                f"c{place}", a_request("DUO" if place % 3 else "LAMP")
            )
            for place in range(12)
        ]
        holds = await asyncio.gather(*asked)

    got = [one.lines[0].sku for one in holds if isinstance(one, Hold) and one.lines[0].held]
    kits, lamps = got.count("DUO"), got.count("LAMP")
    assert await held(counter) == {("LAMP", "L1"): 2 * kits + lamps, ("BULB", "L1"): kits}
    assert 5 <= 2 * kits + lamps <= 6
    assert await counter.miscounted() == []
