"""Holds on a real database: who gets what, and that every counter is the sum of what is open."""

import asyncio
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from services.ledger.handlers import reserving
from services.ledger.handlers.reserving import Conflict
from shared.contracts.holds import Hold, HoldState, Purpose
from shared.testing.messages import a_movement
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


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2", "L3"))
        yield opened
        assert await opened.miscounted() == []
        assert await ledger.unbalanced() == []


async def test_units_are_held_and_released(counter: Counter) -> None:
    await counter.receive(5)

    held = await counter.hold(a_line(3), hold_id="cart-1")

    assert (held.state, units(held)) == (HoldState.HELD, [{"L1": 3}])
    assert await counter.reserved() == 3

    released = await counter.holding.release("cart-1")
    assert released is not None
    assert released.state is HoldState.RELEASED
    assert await counter.reserved() == 0
    assert await counter.holding.release("cart-1") == released


async def test_each_change_is_left_for_the_relay_under_a_higher_version(counter: Counter) -> None:
    await counter.receive(5)
    await counter.ledger.ask("delete from ledger.unpublished returning 1")
    before = await counter.ledger.ask("select version from ledger.levels")

    await counter.hold(a_line(3), hold_id="cart-1")
    held = await counter.ledger.ask("select version from ledger.levels")
    await counter.holding.release("cart-1")

    after = await counter.ledger.ask("select version from ledger.levels")
    assert before[0]["version"] < held[0]["version"] < after[0]["version"]  # type: ignore[operator]  # numbers of an untyped row
    rows = await counter.ledger.ask("select kind, keys from ledger.unpublished")
    assert [(row["kind"], len(row["keys"])) for row in rows] == [("level", 1)] * 2  # type: ignore[arg-type]  # an array of an untyped row


async def test_a_refused_request_says_what_was_possible_and_is_recorded(counter: Counter) -> None:
    await counter.receive(2)

    refused = await counter.hold(a_line(3))

    assert refused.state is HoldState.REFUSED
    assert reasons(refused) == [("quantity_exceeds_offered", 3, 2)]
    rows = await counter.ledger.ask(
        "select quantity, reason, possible from ledger.holds where outcome = 'refused'"
    )
    assert rows == [{"quantity": 3, "reason": "quantity_exceeds_offered", "possible": 2}]


async def test_a_cart_is_held_whole_or_not_at_all(counter: Counter) -> None:
    await counter.receive(5)
    await counter.receive(1, "S2")

    refused = await counter.hold(a_line(3), a_line(2, "S2"))

    assert reasons(refused) == [
        ("another_line_refused", 3, 3), ("quantity_exceeds_offered", 2, 1),
    ]  # fmt: skip
    assert await counter.reserved() == 0


async def test_a_partial_cart_takes_what_there_is_and_records_the_rest(counter: Counter) -> None:
    await counter.receive(5)
    await counter.receive(1, "S2")

    held = await counter.hold(a_line(3), a_line(2, "S2"), partial=True)

    assert (held.state, units(held)) == (HoldState.HELD, [{"L1": 3}, {"L1": 1}])
    assert reasons(held) == [None, ("quantity_exceeds_offered", 1, 1)]


async def test_the_same_request_under_the_same_id_gets_the_same_answer(counter: Counter) -> None:
    await counter.receive(5)
    first = await counter.hold(a_line(3), hold_id="cart-1")
    refused = await counter.hold(a_line(9), hold_id="cart-2")
    await counter.receive(50)

    again = await counter.hold(a_line(3), hold_id="cart-1")

    assert again == first
    assert await counter.hold(a_line(9), hold_id="cart-2") == refused
    assert await counter.reserved() == 3


async def test_another_request_under_the_same_id_is_a_conflict(counter: Counter) -> None:
    await counter.receive(5)
    await counter.hold(a_line(3), hold_id="cart-1")

    assert isinstance(await counter.ask(a_line(2), hold_id="cart-1"), Conflict)

    assert await counter.reserved() == 3


async def test_an_id_twice_in_one_group_does_not_fail_the_group(counter: Counter) -> None:
    await counter.receive(5)

    told = await asyncio.gather(
        counter.ask(a_line(2), hold_id="same"), counter.ask(a_line(2), hold_id="same"),
        counter.ask(a_line(1), hold_id="same"), counter.ask(a_line(3), hold_id="other"),
    )  # fmt: skip

    assert [isinstance(one, Conflict) for one in told] == [False, False, True, False]
    assert told[0] == told[1]
    assert await counter.reserved() == 5


async def test_an_id_that_another_process_records_at_once_is_held_once(counter: Counter) -> None:
    await counter.receive(100)

    async with open_counter(counter.ledger) as second:
        told = await asyncio.gather(
            *(one.ask(a_line(1), hold_id=f"c{n}") for n in range(40) for one in (counter, second))
        )

    assert all(isinstance(one, Hold) for one in told)
    assert await counter.reserved() == 40


async def test_refused_requests_take_nothing_from_those_behind_them(counter: Counter) -> None:
    await counter.receive(5)

    told = await asyncio.gather(*(counter.hold(a_line(quantity)) for quantity in (3, 4, 2)))

    assert [one.state.value for one in told] == ["held", "refused", "held"]


async def test_the_terms_of_the_channel_bind_a_request(counter: Counter) -> None:
    await counter.receive(5)
    await counter.refer(
        a_policy("location_buffer", 1, location="L1"),
        a_policy("kept_for_store", 3, location="L1"),
        a_channel("till-1", "L1", kind="store"),
    )

    assert reasons(await counter.hold(a_line(3))) == [("quantity_exceeds_offered", 3, 2)]
    assert (await counter.hold(a_line(2))).state is HoldState.HELD
    assert (await counter.hold(a_line(3), channel="till-1")).state is HoldState.HELD


async def test_a_change_of_terms_binds_the_next_request(counter: Counter) -> None:
    await counter.receive(9)
    assert (await counter.hold(a_line(1))).state is HoldState.HELD
    await counter.refer(a_policy("location_buffer", 6, sku="S1"))
    assert reasons(await counter.hold(a_line(3))) == [("quantity_exceeds_offered", 3, 2)]
    await counter.refer(a_policy("closed", 1, location="L1"))

    refused = await counter.hold(a_line(1, "S1", "L1"))

    assert reasons(refused) == [("location_closed", 1, 0)]


async def test_only_this_channels_locations_serve_it(counter: Counter) -> None:
    await counter.receive(5, location="L3")
    await counter.refer(a_channel("market", "L1", "L2"))

    from_the_pool = await counter.hold(a_line(1), channel="market")
    at_another_place = await counter.hold(a_line(1, "S1", "L3"), channel="market")

    assert reasons(from_the_pool) == [("quantity_exceeds_offered", 1, 0)]
    assert reasons(at_another_place) == [("location_not_of_channel", 1, 0)]


async def test_split_10_plus_3_serves_13(counter: Counter) -> None:
    await counter.receive(10)
    await counter.receive(3, location="L2")

    whole = await counter.hold(a_line(13, may_split=False))
    split = await counter.hold(a_line(13))

    assert reasons(whole) == [("quantity_exceeds_offered", 13, 10)]
    assert units(split) == [{"L1": 10, "L2": 3}]


async def test_negative_source_ignored_would_sell_what_is_owed(counter: Counter) -> None:
    await counter.ledger.command({"order_id": "O1", "wanted": 2})
    await counter.receive(5, location="L2")

    assert reasons(await counter.hold(a_line(4))) == [("quantity_exceeds_pool", 4, 3)]
    assert units(await counter.hold(a_line(3))) == [{"L2": 3}]


async def test_overlapping_pools_share_their_units(counter: Counter) -> None:
    await counter.refer(a_channel("market", "L2", "L1"))
    await counter.receive(3)

    told = await asyncio.gather(
        *(counter.hold(a_line(1), channel=name) for name in ("web", "market") for _ in range(3))
    )

    assert [one.state.value for one in told].count("held") == 3


async def test_aggregate_versus_first_location_looks_at_every_place(counter: Counter) -> None:
    await counter.receive(1)
    await counter.receive(4, location="L3")

    assert units(await counter.hold(a_line(3))) == [{"L3": 3}]


async def test_same_sku_twice_in_one_cart_is_asked_for_together(counter: Counter) -> None:
    await counter.receive(5)

    refused = await counter.hold(a_line(3), a_line(3))
    held = await counter.hold(a_line(3), a_line(2))

    assert reasons(refused) == [("another_line_refused", 3, 3), ("quantity_exceeds_offered", 3, 2)]
    assert held.state is HoldState.HELD


async def test_last_unit_race_has_one_winner(counter: Counter) -> None:
    await counter.receive(1)

    async with open_counter(counter.ledger) as second:
        told = await asyncio.gather(
            *(one.hold(a_line(1), hold_id=f"{place}-{n}")
              for n in range(16) for place, one in enumerate((counter, second)))
        )  # fmt: skip

    assert [one.state.value for one in told].count("held") == 1


async def test_holds_of_nobody_still_count(counter: Counter) -> None:
    await counter.receive(3)
    await counter.hold(
        a_line(2, "S1", "L1"), channel=None, beneficiary=None, purpose=Purpose.TRANSFER
    )

    assert reasons(await counter.hold(a_line(2))) == [("quantity_exceeds_offered", 2, 1)]
    assert len(await counter.holding.open_at("L1", "S1", 0)) == 1


async def test_equal_quantities_in_two_warehouses_are_two_quantities(counter: Counter) -> None:
    await counter.receive(3)
    await counter.receive(3, location="L2")

    assert units(await counter.hold(a_line(6))) == [{"L1": 3, "L2": 3}]
    assert await counter.miscounted() == []


async def test_a_sale_between_two_decisions_is_seen(counter: Counter) -> None:
    await counter.receive(3)
    assert (await counter.hold(a_line(1))).state is HoldState.HELD
    await counter.ledger.move(a_movement(type="sale", quantity=2))

    assert (await counter.hold(a_line(1))).state is HoldState.REFUSED


async def test_a_policy_that_comes_to_speak_of_one_sku_frees_the_others(counter: Counter) -> None:
    await counter.receive(5)
    await counter.receive(5, "S2")
    policy = {"kind": "policy", "policy_id": "p", "term": "location_buffer", "value": 5}
    await counter.refer({**policy, "scope": {}})
    assert (await counter.hold(a_line(1, "S2"))).state is HoldState.REFUSED

    await counter.refer({**policy, "scope": {"sku": "S1"}, "revision": 1})

    assert (await counter.hold(a_line(1, "S2"))).state is HoldState.HELD
    assert (await counter.hold(a_line(1))).state is HoldState.REFUSED
    await counter.refer({**policy, "scope": {}})  # an older one comes late
    assert (await counter.hold(a_line(1, "S2"))).state is HoldState.HELD
    assert (await counter.hold(a_line(1))).state is HoldState.REFUSED
    await counter.refer({**policy, "scope": {"sku": "S1"}, "revision": 2, "deleted": True})
    assert (await counter.hold(a_line(1))).state is HoldState.HELD


async def test_what_is_remembered_stays_bounded(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reserving, "LEVELS_MAX", 1)
    for sku in ("S1", "S2", "S3"):
        await counter.receive(5, sku)

    told = [await counter.hold(a_line(1, sku)) for sku in ("S1", "S2", "S3", "S1", "S2", "S3")]

    assert {one.state for one in told} == {HoldState.HELD}


async def test_a_sum_over_the_pool_is_counted_on_once(counter: Counter) -> None:
    await counter.ledger.command({"order_id": "O1", "wanted": 1})
    await counter.receive(1, location="L2")
    await counter.receive(2, location="L3")

    async with open_counter(counter.ledger) as second:
        await second.hold(a_line(1, "S1", "L3"), hold_id="a")  # remembers the pool as it was
        assert (await counter.hold(a_line(1, "S1", "L2"), hold_id="b")).state is HoldState.HELD
        refused = await second.hold(a_line(1, "S1", "L3"), hold_id="c")

    assert reasons(refused) == [("quantity_exceeds_pool", 1, 0)]
