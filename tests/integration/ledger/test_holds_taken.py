"""Movements that name a hold: what they take is held no longer, and is taken once."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.contracts.holds import Confirm, HoldState, Purpose
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2", "L3"))
        yield opened
        assert await opened.miscounted() == []
        assert await ledger.unbalanced() == []


def sold(quantity: int = 1, hold: str = "H", **more: object) -> dict[str, object]:
    return a_movement(quantity=quantity, hold=hold, **more)


async def state(counter: Counter, hold_id: str = "H") -> HoldState:
    told = await counter.holding.read(hold_id)
    assert told is not None
    return told.state


async def stands(counter: Counter, location: str = "L1") -> tuple[int, int]:
    """sellable and reserved."""
    found = await counter.ledger.level("S1", location)
    return found["sellable"], found["reserved"]


async def test_a_sale_of_what_was_held_leaves_the_others_what_they_could_have(
    counter: Counter,
) -> None:
    await counter.receive(3)
    await counter.hold(a_line(2, "S1", "L1"), hold_id="H", purpose=Purpose.IN_STORE)

    await counter.ledger.move(sold(2))

    assert await stands(counter) == (1, 0)
    assert await state(counter) is HoldState.TAKEN
    counter.ledger.clock.advance(seconds=200_000)
    assert await state(counter) is HoldState.TAKEN
    assert (await counter.hold(a_line(1))).state is HoldState.HELD


async def test_part_of_a_hold_may_go_and_the_rest_waits_and_ends(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(2), hold_id="H", ttl_seconds=60)

    await counter.ledger.move(sold(1))

    assert (await stands(counter), await state(counter)) == ((2, 1), HoldState.HELD)
    counter.ledger.clock.advance(seconds=60)
    await counter.expiring.turn()
    assert await stands(counter) == (2, 0)


async def test_a_sale_told_twice_takes_once_and_more_than_was_held_comes_off_the_shelf(
    counter: Counter,
) -> None:
    await counter.receive(9)
    await counter.hold(a_line(3), hold_id="H")

    await counter.ledger.move(sold(1, ce_id="one"), sold(1, ce_id="one"))
    await counter.ledger.move(sold(1, ce_id="one"))
    assert await stands(counter) == (8, 2)

    await counter.ledger.move(sold(5, ce_id="two"))
    assert await stands(counter) == (3, 0)


async def test_a_hold_is_taken_wherever_it_was(counter: Counter) -> None:
    await counter.receive(2)
    await counter.receive(2, location="L2")
    await counter.hold(a_line(1, "S1", "L1"), hold_id="H")

    await counter.ledger.move(sold(location="L2"))

    assert (await stands(counter, "L1"), await stands(counter, "L2")) == ((2, 0), (1, 0))


@pytest.mark.parametrize("kind", ["pick", "transfer_dispatch"])
async def test_units_that_are_set_aside_or_dispatched_are_taken(
    counter: Counter, kind: str
) -> None:
    await counter.receive(2)
    await counter.hold(a_line(2), hold_id="H", purpose=Purpose.TRANSFER)

    to = {"to_location": "L2"} if kind == "transfer_dispatch" else {}
    await counter.ledger.move(sold(2, type=kind, **to))

    assert (await stands(counter), await state(counter)) == ((0, 0), HoldState.TAKEN)


async def test_what_was_picked_and_then_handed_over_is_taken_once(counter: Counter) -> None:
    await counter.receive(4)
    await counter.hold(a_line(3), hold_id="H")

    await counter.ledger.move(sold(1, type="pick"))
    await counter.ledger.move(sold(1) | {"from": {"bucket": "picked"}})

    assert await stands(counter) == (3, 2)


async def test_a_hold_that_became_an_order_is_handed_over_as_its_line(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(2), hold_id="H")
    await counter.holding.confirm("H", Confirm(order_id="O1", line_ids=("1",)))

    await counter.ledger.move(sold(2))

    [line] = await counter.ledger.ask("select shipped, short from ledger.order_lines")
    found = await counter.ledger.level()
    assert (line["shipped"], line["short"]) == (2, 0)
    assert (found["sellable"], found["allocated"]) == (1, 0)
    assert await state(counter) is HoldState.CONFIRMED


async def test_a_hold_that_has_run_out_or_is_unknown_hinders_no_sale(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(a_line(2), hold_id="H", ttl_seconds=60)
    counter.ledger.clock.advance(seconds=60)
    await counter.expiring.turn()

    await counter.ledger.move(sold(1), sold(1, hold="nobody's"))

    assert (await stands(counter), await state(counter)) == ((1, 0), HoldState.EXPIRED)


async def test_what_a_beneficiary_has_taken_of_its_fence_does_not_go_back_to_it(
    counter: Counter,
) -> None:
    await counter.receive(5)
    await counter.hold(
        a_line(3, "S1", "L1"), hold_id="F", purpose=Purpose.RING_FENCE,
        beneficiary={"channel": "web"}, ttl_seconds=9_000,
    )  # fmt: skip
    await counter.hold(a_line(3), hold_id="H", ttl_seconds=60)
    await counter.ledger.move(sold(1))

    counter.ledger.clock.advance(seconds=60)
    await counter.expiring.turn()

    assert await stands(counter) == (4, 2)
    [fence] = await counter.ledger.ask("select used from ledger.holds where hold_id = 'F'")
    assert fence["used"] == 1


async def test_a_sale_may_take_from_a_fence_by_its_own_name(counter: Counter) -> None:
    await counter.receive(5)
    await counter.hold(
        a_line(3, "S1", "L1"), hold_id="F", purpose=Purpose.RING_FENCE,
        beneficiary={"channel": "web"},
    )  # fmt: skip

    await counter.ledger.move(sold(1, hold="F"))

    assert await stands(counter) == (4, 2)


async def test_a_till_is_warned_when_the_last_unit_is_held(counter: Counter) -> None:
    await counter.receive(2)
    await counter.hold(a_line(1, "S1", "L1"), hold_id="H", purpose=Purpose.IN_STORE)

    async with counter.http() as http:
        one = (await http.get("/v1/tills/L1/S1")).json()
        two = (await http.get("/v1/tills/L1/S1", params={"quantity": 2})).json()
        nowhere = await http.get("/v1/tills/L9/S1")

    assert (one["free"], one["warning"]) == (1, None)
    assert (two["warning"], [hold["hold_id"] for hold in two["holds"]]) == (
        "last_units_are_held", ["H"],
    )  # fmt: skip
    assert nowhere.status_code == 404
