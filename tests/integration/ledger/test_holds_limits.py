"""Limits per customer on a real database: what counts, and two orders at once."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from shared.contracts.holds import Confirm, Hold, HoldState, Purpose
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    a_policy,
    open_counter,
    reasons,
)

ANNA = "c_00000000000000aa"


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1"), a_policy("customer_limit", 3, channel="web"))
        await opened.receive(50)
        yield opened
        assert await opened.miscounted() == []


async def ask(counter: Counter, quantity: int, hold_id: str, **more: object) -> Hold:
    told = {"beneficiary": {"customer_ref": ANNA}} | more
    return await counter.hold(a_line(quantity), hold_id=hold_id, **told)


async def test_what_is_held_confirmed_or_taken_counts_and_what_was_given_back_does_not(
    counter: Counter,
) -> None:
    await ask(counter, 1, "confirmed")
    await counter.holding.confirm("confirmed", Confirm(order_id="O1", line_ids=("1",)))
    await ask(counter, 1, "released")
    await counter.holding.release("released")
    await ask(counter, 1, "expired", ttl_seconds=60)
    counter.ledger.clock.advance(seconds=61)
    await ask(counter, 1, "held")
    await ask(counter, 9, "fence", purpose=Purpose.RING_FENCE)

    beyond = await ask(counter, 2, "beyond")
    within = await ask(counter, 1, "within")
    again = await ask(counter, 1, "within")

    assert reasons(beyond) == [("exceeds_customer_limit", 2, 1)]
    assert (within.state, again.state) == (HoldState.HELD, HoldState.HELD)


async def test_two_orders_of_one_customer_at_once_share_the_limit(counter: Counter) -> None:
    async with open_counter(counter.ledger) as other:
        answers = await asyncio.gather(
            *(ask(at, 2, f"h{n}") for n, at in enumerate([counter, other] * 4))
        )

    assert [answer.state for answer in answers].count(HoldState.HELD) == 1


async def test_a_customer_that_is_not_named_has_the_limit_for_each_order(counter: Counter) -> None:
    beyond = await counter.hold(a_line(4), hold_id="a")
    one, other = await counter.hold(a_line(3)), await counter.hold(a_line(3))

    assert reasons(beyond) == [("exceeds_customer_limit", 4, 3)]
    assert (one.state, other.state) == (HoldState.HELD, HoldState.HELD)


async def test_a_kit_counts_as_one_whatever_it_is_made_of(counter: Counter) -> None:
    await counter.refer(
        {"kind": "product", "sku": "LAMP"}, {"kind": "product", "sku": "BULB"},
        {"kind": "product", "sku": "KIT",
         "kit": [{"sku": "LAMP", "quantity": 1}, {"sku": "BULB", "quantity": 4}]},
    )  # fmt: skip
    await counter.receive(20, sku="LAMP")
    await counter.receive(80, sku="BULB")
    who = {"beneficiary": {"customer_ref": ANNA}}
    await counter.hold(a_line(2, "KIT"), hold_id="two", **who)

    beyond = await counter.hold(a_line(2, "KIT"), hold_id="beyond", **who)
    parts = await counter.hold(a_line(3, "BULB"), hold_id="parts", **who)

    assert reasons(beyond) == [("exceeds_customer_limit", 2, 1)]
    assert parts.state is HoldState.HELD


async def test_one_order_after_the_other_is_decided_on_what_the_first_was_given(
    counter: Counter,
) -> None:
    await ask(counter, 2, "first")

    second = await ask(counter, 2, "second")

    assert reasons(second) == [("exceeds_customer_limit", 2, 1)]
