"""Back-orders and pre-orders on a real database: capped, promised on what is expected, served."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime

import pytest
import pytest_asyncio

from services.ledger.repository.measuring import oversold_units
from shared.contracts.holds import Confirm, Hold, HoldState, Purpose
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import (
    Counter,
    a_channel,
    a_line,
    a_policy,
    open_counter,
    reasons,
)

DAY = 24 * 60
ARRIVAL, LATER = at(2 * DAY), at(9 * DAY)


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2"), a_policy("back_order_limit", 6))
        yield opened
        assert await opened.miscounted() == []


async def expect(
    counter: Counter, units: int, when: datetime = ARRIVAL, where: str = "L1", supply_id: str = "P1"
) -> None:
    await counter.ledger.supply(
        {
            "supply_id": supply_id, "type": "purchase_order", "state": "confirmed", "version": 1,
            "to_location": where, "expected_at": when.isoformat(),
            "lines": [{"line_id": "1", "sku": "S1", "ordered": units}],
        }
    )  # fmt: skip


async def ask(counter: Counter, quantity: int, hold_id: str | None = None, **more: object) -> Hold:
    told = {"may_wait": True} | more
    return await counter.hold(a_line(quantity), hold_id=hold_id, **told)


def waits(hold: Hold) -> tuple[int, datetime | None]:
    [line] = hold.lines
    return line.waiting or 0, line.promised_at


async def test_what_is_not_there_waits_for_what_is_expected(counter: Counter) -> None:
    await counter.receive(2)
    await expect(counter, 10)

    held = await ask(counter, 5)

    assert held.state is HoldState.HELD
    assert waits(held) == (3, ARRIVAL)
    assert await counter.reserved() == 5
    async with counter.ledger.pool.acquire() as connection:
        assert await oversold_units(connection) == 0


async def test_nobody_waits_who_did_not_say_so_and_nowhere_without_a_policy(
    counter: Counter,
) -> None:
    await counter.receive(2)
    await expect(counter, 10)

    plain = await ask(counter, 5, may_wait=False)
    await counter.refer(a_policy("back_order_limit", 6) | {"revision": 2, "deleted": True})
    no_policy = await ask(counter, 5)

    assert reasons(plain) == [("quantity_exceeds_offered", 5, 2)]
    assert reasons(no_policy) == [("quantity_exceeds_offered", 5, 2)]


async def test_the_same_request_gets_the_same_answer(counter: Counter) -> None:
    await expect(counter, 10)

    first, again = await ask(counter, 4, "a"), await ask(counter, 4, "a")

    assert first == again
    assert await counter.holding.read("a") == first
    assert await counter.reserved() == 4


async def test_the_cap_counts_what_is_owed_and_tells_what_would_be_possible(
    counter: Counter,
) -> None:
    await expect(counter, 100)
    await counter.receive(1)
    await ask(counter, 5, "first")

    beyond = await ask(counter, 4)
    some = await ask(counter, 4, partial=True)
    none = await ask(counter, 1)

    assert reasons(beyond) == [("exceeds_back_order_limit", 4, 2)]
    assert (waits(some)[0], reasons(some)) == (2, [("exceeds_back_order_limit", 2, 2)])
    assert reasons(none) == [("exceeds_back_order_limit", 1, 0)]
    await counter.holding.release("first")
    assert (await ask(counter, 1)).state is HoldState.HELD


async def test_an_expired_hold_owes_nothing(counter: Counter) -> None:
    await expect(counter, 100)
    await ask(counter, 6, ttl_seconds=60)
    counter.ledger.clock.advance(seconds=61)

    assert waits(await ask(counter, 6)) == (6, ARRIVAL)


async def test_who_asks_later_is_promised_what_comes_later(counter: Counter) -> None:
    await expect(counter, 4)
    await expect(counter, 5, LATER, supply_id="P2")

    promised = [waits(await ask(counter, units)) for units in (3, 1, 1)]

    assert promised == [(3, ARRIVAL), (1, ARRIVAL), (1, LATER)]


async def test_without_anything_expected_there_is_no_date(counter: Counter) -> None:
    await counter.receive(1)

    assert waits(await ask(counter, 3)) == (2, None)


async def test_what_must_come_in_time_is_refused_where_nothing_does(counter: Counter) -> None:
    await counter.refer(a_policy("back_order_days", 7))
    await expect(counter, 4)
    await expect(counter, 50, LATER, supply_id="P2")

    beyond, within = await ask(counter, 5), await ask(counter, 4)

    assert reasons(beyond) == [("not_expected_in_time", 5, 4)]
    assert waits(within) == (4, ARRIVAL)
    assert reasons(await ask(counter, 1)) == [("not_expected_in_time", 1, 0)]


@pytest.mark.parametrize(
    "overrides",
    [{"state": "sent"}, {"to_location": "L3"}, {"expected_at": None}, {"state": "cancelled"}],
    ids=["unconfirmed", "elsewhere", "undated", "cancelled"],
)
async def test_only_what_is_certain_to_come_to_the_channel_is_promised(
    counter: Counter, overrides: dict[str, object]
) -> None:
    order: dict[str, object] = {
        "supply_id": "P1", "type": "purchase_order", "state": "confirmed", "version": 1,
        "to_location": "L1", "expected_at": ARRIVAL.isoformat(),
        "lines": [{"line_id": "1", "sku": "S1", "ordered": 9}],
    }  # fmt: skip
    await counter.ledger.supply(order | overrides)

    assert waits(await ask(counter, 1)) == (1, None)


async def test_what_has_come_in_is_no_longer_expected_told_or_not(counter: Counter) -> None:
    await expect(counter, 4)
    of_line = {"supply_line": {"supply_id": "P1", "line_id": "1"}}
    await counter.ledger.move(a_movement(type="receipt", quantity=4, **of_line))

    assert waits(await ask(counter, 5)) == (1, None)


async def test_units_wait_where_they_are_expected_though_none_ever_lay_there(
    counter: Counter,
) -> None:
    await expect(counter, 10, where="L2")

    [line] = (await ask(counter, 3)).lines

    assert [(one.location, one.quantity) for one in line.held] == [("L2", 3)]
    assert await counter.reserved(location="L2") == 3


async def test_a_line_that_may_not_be_split_waits_where_the_rest_of_it_lies(
    counter: Counter,
) -> None:
    await counter.receive(2, location="L2")
    await expect(counter, 10, where="L1")

    held = await counter.hold(a_line(5, may_split=False), may_wait=True)

    assert [(one.location, one.quantity) for one in held.lines[0].held] == [("L2", 5)]
    assert held.lines[0].waiting == 3


async def test_what_comes_in_is_for_those_who_wait(counter: Counter) -> None:
    await expect(counter, 10)
    await ask(counter, 4)
    await counter.receive(5)

    assert reasons(await ask(counter, 3, may_wait=False)) == [("quantity_exceeds_offered", 3, 1)]
    assert (await ask(counter, 1, may_wait=False)).state is HoldState.HELD


async def test_a_confirmed_back_order_is_a_short_line_that_a_receipt_serves(
    counter: Counter,
) -> None:
    await counter.receive(1)
    await expect(counter, 10)
    await ask(counter, 4, "a")
    await counter.holding.confirm("a", Confirm(order_id="O1", line_ids=("1",)))

    async def line() -> tuple[object, object, int]:
        [row] = await counter.ledger.ask("select wanted, short from ledger.order_lines")
        async with counter.ledger.pool.acquire() as connection:
            return row["wanted"], row["short"], await oversold_units(connection)

    assert await line() == (4, 3, 0)
    await counter.ledger.command({"order_id": "O1", "wanted": 4})
    assert await line() == (4, 3, 0)
    await counter.receive(2)
    assert await line() == (4, 1, 0)
    assert (await counter.ledger.level())["allocated"] == 4
    assert reasons(await ask(counter, 6)) == [("exceeds_back_order_limit", 6, 5)]


async def test_goods_that_came_before_the_order_was_confirmed_are_its_own(counter: Counter) -> None:
    await expect(counter, 10)
    await ask(counter, 4, "a")
    await counter.receive(3)
    await counter.holding.confirm("a", Confirm(order_id="O1", line_ids=("1",)))

    assert await counter.ledger.ask("select short from ledger.order_lines") == [{"short": 1}]


async def test_two_at_once_share_the_cap(counter: Counter) -> None:
    await expect(counter, 100)
    async with open_counter(counter.ledger) as other:
        answers = await asyncio.gather(
            *(ask(at_, 4, f"w{n}") for n, at_ in enumerate([counter, other] * 4))
        )

    assert [answer.state for answer in answers].count(HoldState.HELD) == 1


async def test_one_group_and_one_cart_share_the_cap(counter: Counter) -> None:
    await expect(counter, 100)

    twice = await counter.hold(a_line(4), a_line(3), may_wait=True)
    group = await asyncio.gather(*(ask(counter, 4) for _ in range(3)))

    assert reasons(twice)[-1] == ("exceeds_back_order_limit", 3, 2)
    assert [one.state for one in group].count(HoldState.HELD) == 1
    assert await counter.reserved() == 4


async def test_buffers_are_kept_from_those_who_wait_and_their_units_wait_too(
    counter: Counter,
) -> None:
    await counter.refer(a_policy("location_buffer", 2))
    await counter.receive(3)
    await expect(counter, 10)

    assert waits(await ask(counter, 5)) == (4, ARRIVAL)
    assert waits(await ask(counter, 2)) == (2, ARRIVAL)
    assert reasons(await ask(counter, 1)) == [("exceeds_back_order_limit", 1, 0)]


@pytest.mark.parametrize("purpose", [Purpose.IN_STORE, Purpose.TRANSFER, Purpose.RING_FENCE])
async def test_only_carts_and_orders_wait(counter: Counter, purpose: Purpose) -> None:
    await expect(counter, 10)

    assert (await ask(counter, 1, purpose=purpose)).state is HoldState.REFUSED


async def test_a_fences_own_units_go_first_and_never_to_what_waits(counter: Counter) -> None:
    await counter.receive(5)
    await expect(counter, 10)
    await counter.hold(
        a_line(3), hold_id="fence", purpose=Purpose.RING_FENCE, beneficiary={"channel": "web"}
    )

    held = await ask(counter, 7)

    assert waits(held) == (2, ARRIVAL)
    assert await counter.ledger.ask("select used from ledger.holds where hold_id = 'fence'") == [
        {"used": 3}
    ]


SALE = at(5 * DAY)


@pytest_asyncio.fixture(loop_scope="session")
async def launch(counter: Counter) -> Counter:
    """S1 is sold from a later day on, and 5 of it may be pre-ordered."""
    life = {"on_sale_from": SALE.isoformat()}
    await counter.refer(
        {"kind": "product", "sku": "S1", "life_cycle": life, "revision": 5},
        a_policy("pre_order_limit", 5),
    )  # fmt: skip
    return counter


async def test_before_its_sale_a_product_is_pre_ordered_up_to_its_cap(launch: Counter) -> None:
    await expect(launch, 100)

    first = await ask(launch, 3)
    beyond = await ask(launch, 3)
    closed = await ask(launch, 1, may_wait=False)

    assert waits(first) == (3, SALE)
    assert reasons(beyond) == [("exceeds_pre_order_limit", 3, 2)]
    assert reasons(closed) == [("sku_closed", 1, 0)]


async def test_stock_that_is_there_before_the_sale_counts_to_the_cap_too(launch: Counter) -> None:
    await launch.receive(50)

    there = await ask(launch, 4)
    beyond = await ask(launch, 2)

    assert waits(there) == (0, SALE)
    assert reasons(beyond) == [("exceeds_pre_order_limit", 2, 1)]


async def test_fences_of_a_launch_are_no_pre_orders(launch: Counter) -> None:
    await launch.receive(50)
    await launch.hold(
        a_line(30, "S1", "L1"), hold_id="fence", purpose=Purpose.RING_FENCE, channel=None,
        beneficiary={"channel": "b2b"},
    )  # fmt: skip

    assert (await ask(launch, 5)).state is HoldState.HELD
    assert reasons(await ask(launch, 1)) == [("exceeds_pre_order_limit", 1, 0)]


async def test_a_recalled_product_is_not_pre_ordered(launch: Counter) -> None:
    life = {"on_sale_from": SALE.isoformat(), "recalled": True}
    await launch.refer({"kind": "product", "sku": "S1", "life_cycle": life, "revision": 6})

    assert reasons(await ask(launch, 1)) == [("sku_closed", 1, 0)]


async def test_what_comes_after_the_sale_begins_is_promised_then(launch: Counter) -> None:
    await expect(launch, 100, LATER)

    assert waits(await ask(launch, 1)) == (1, LATER)


async def test_a_kit_does_not_wait(counter: Counter) -> None:
    await counter.refer(
        {"kind": "product", "sku": "LAMP"},
        {"kind": "product", "sku": "KIT", "kit": [{"sku": "LAMP", "quantity": 1}]},
    )
    await counter.receive(1, sku="LAMP")

    beyond = await counter.hold(a_line(2, "KIT"), may_wait=True)

    assert reasons(beyond) == [("quantity_exceeds_offered", 2, 1)]
