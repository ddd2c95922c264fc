"""Ring-fences on a real database: for everyone reserved, for their beneficiary still to be had."""

from collections.abc import AsyncIterator, Mapping
from datetime import timedelta

import pytest_asyncio

from services.ledger.repository.publishing import LedgerStates
from shared.contracts.holds import Confirm, Extend, Hold, HoldState, Purpose
from shared.contracts.levels import StockLevel
from shared.contracts.topics import STOCK_LEVELS
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    open_counter,
    reasons,
    units,
)

USED = "select used from ledger.holds where hold_id = 'fence' order by part"


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2"), a_channel("b2b", "L1", "L2"))
        yield opened
        assert await opened.miscounted() == []
        assert await ledger.unbalanced() == []


async def a_fence(counter: Counter, quantity: int, **more: object) -> Hold:
    """Units kept for `b2b`, unless said otherwise."""
    told: dict[str, object] = {"beneficiary": {"channel": "b2b"}, "channel": "web"}
    return await counter.hold(
        a_line(quantity), hold_id="fence", purpose=Purpose.RING_FENCE, **(told | more)
    )


async def used(counter: Counter) -> list[object]:
    return [row["used"] for row in await counter.ledger.ask(USED)]


async def level(counter: Counter) -> StockLevel:
    """The level as the relay tells it."""
    rows = await counter.ledger.ask("select level_id from ledger.levels order by level_id limit 1")
    key = ("level", int(str(rows[0]["level_id"])))
    [message] = await LedgerStates(counter.ledger.pool).latest([key])
    told = STOCK_LEVELS.decode(message.value)
    assert isinstance(told, StockLevel), told
    return told


async def test_a_fence_is_reserved_for_everyone_and_had_by_its_beneficiary(
    counter: Counter,
) -> None:
    await counter.receive(5)
    await a_fence(counter, 4)

    refused = await counter.hold(a_line(2))
    held = await counter.hold(a_line(3), channel="b2b", hold_id="cart")

    assert reasons(refused) == [("quantity_exceeds_offered", 2, 1)]
    assert units(held) == [{"L1": 3}]
    assert (await counter.reserved(), await used(counter)) == (4, [3])
    assert (await counter.hold(a_line(1))).state is HoldState.HELD
    assert reasons(await counter.hold(a_line(2), channel="b2b")) == [
        ("quantity_exceeds_offered", 2, 1)
    ]


async def test_the_fence_is_taken_before_the_pool_and_the_pool_after_it(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 2)

    held = await counter.hold(a_line(4), channel="b2b")

    assert units(held) == [{"L1": 4}]
    assert (await counter.reserved(), await used(counter)) == (4, [2])


async def test_requests_of_one_group_do_not_take_a_fence_twice(counter: Counter) -> None:
    await counter.receive(3)
    await a_fence(counter, 3)

    held = await counter.hold(a_line(2), a_line(2), channel="b2b", partial=True)

    assert sum(sum(line.values()) for line in units(held)) == 3
    assert (await counter.reserved(), await used(counter)) == (3, [3])


async def test_a_hold_that_ends_gives_back_to_the_fence_and_an_order_keeps(
    counter: Counter,
) -> None:
    await counter.receive(5)
    await a_fence(counter, 5)
    await counter.hold(a_line(2), channel="b2b", hold_id="left", ttl_seconds=60)
    await counter.hold(a_line(2), channel="b2b", hold_id="bought")

    counter.ledger.clock.advance(seconds=60)
    await counter.expiring.turn()
    await counter.holding.confirm("bought", Confirm(order_id="O1", line_ids=("1",)))

    assert await used(counter) == [2]
    found = await counter.ledger.level()
    assert (found["reserved"], found["allocated"]) == (3, 2)
    assert (await counter.hold(a_line(1))).state is HoldState.REFUSED


async def test_what_is_left_is_free_when_the_fence_ends_and_what_was_taken_is_not(
    counter: Counter,
) -> None:
    await counter.receive(5)
    await a_fence(counter, 4, ttl_seconds=60)
    await counter.hold(a_line(1), channel="b2b", hold_id="cart", ttl_seconds=600)

    counter.ledger.clock.advance(seconds=60)

    assert reasons(await counter.hold(a_line(5))) == [("quantity_exceeds_offered", 5, 4)]
    assert await counter.reserved() == 1
    await counter.holding.release("cart")
    assert await counter.reserved() == 0


async def test_a_fence_and_what_was_taken_of_it_may_end_at_one_moment(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 4, ttl_seconds=60)
    await counter.hold(a_line(1), channel="b2b", ttl_seconds=60)

    counter.ledger.clock.advance(seconds=60)
    await counter.expiring.turn()

    assert await counter.reserved() == 0


async def test_only_the_customer_that_a_fence_names_takes_from_it(counter: Counter) -> None:
    await counter.receive(2)
    await a_fence(counter, 2, beneficiary={"customer_ref": "c_0123456789abcdef"})

    other = await counter.hold(a_line(1), beneficiary={"customer_ref": "c_fedcba9876543210"})
    named = await counter.hold(a_line(1), beneficiary={"customer_ref": "c_0123456789abcdef"})

    assert (other.state, named.state) == (HoldState.REFUSED, HoldState.HELD)
    assert (await level(counter)).ring_fences[0].channel is None


async def test_the_level_tells_what_is_left_and_until_when(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 4, ttl_seconds=60)
    await counter.hold(a_line(1), channel="b2b")
    await counter.ledger.ask("delete from ledger.unpublished returning 1")

    ends = counter.ledger.clock.now() + timedelta(seconds=120)
    await counter.holding.extend("fence", Extend(ttl_seconds=120))

    [told] = (await level(counter)).ring_fences
    assert (told.channel, told.remaining, told.until) == ("b2b", 3, ends)
    assert await counter.ledger.ask("select 1 from ledger.unpublished") != []


async def test_a_sale_leaves_the_fence_in_what_is_told(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 4)
    counter.ledger.remembered._rows.clear()
    counter.ledger.remembered._levels.clear()

    await counter.ledger.move(a_movement(sku="S1", location="L1", quantity=1))

    flight = await counter.ledger.remembered.take()
    assert flight.messages == []
    assert [one.remaining for one in (await level(counter)).ring_fences] == [4]


def a_line_of(order: str, channel: str, quantity: int) -> Mapping[str, object]:
    return {"order_id": order, "wanted": quantity, "channel": channel, "candidates": ["L1", "L2"]}


async def test_an_order_line_of_the_beneficiary_takes_from_the_fence(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 3)

    await counter.ledger.command(a_line_of("O1", "b2b", 2))

    found = await counter.ledger.level()
    assert (found["reserved"], found["allocated"], await used(counter)) == (1, 2, [2])
    await counter.ledger.command(a_line_of("O1", "b2b", 2))
    assert await used(counter) == [2]


async def test_an_order_line_of_another_channel_leaves_the_fence_alone(counter: Counter) -> None:
    await counter.receive(3)
    await a_fence(counter, 3)

    await counter.ledger.command(a_line_of("O1", "web", 2), a_line_of("O2", "b2b", 2))

    found = await counter.ledger.level()
    assert (found["reserved"], found["allocated"], await used(counter)) == (1, 4, [2])
    short = await counter.ledger.ask("select order_id, short from ledger.order_lines order by 1")
    assert [row["short"] for row in short] == [2, 0]


async def test_two_lines_of_one_batch_do_not_take_a_fence_twice(counter: Counter) -> None:
    await counter.receive(5)
    await a_fence(counter, 3)

    await counter.ledger.command(a_line_of("O1", "b2b", 2), a_line_of("O2", "b2b", 2))

    found = await counter.ledger.level()
    assert (found["reserved"], found["allocated"], await used(counter)) == (0, 4, [3])
