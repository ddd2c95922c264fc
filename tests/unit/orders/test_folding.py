"""Folding: any order and duplication of a set of states gives the same order."""

from collections.abc import Callable
from datetime import timedelta
from functools import reduce
from typing import TypeVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.folding import Order, OrderLine, OrderState, Promise, join_orders
from services.orders.domain.returning import (
    Return,
    ReturnLine,
    ReturnState,
    join_returns,
    line_key,
)
from tests.unit.orders.builders import NINE, a_line, an_order

Told = TypeVar("Told")

small = st.integers(0, 3)
moments = st.none() | st.integers(0, 3).map(lambda hours: NINE + timedelta(hours=hours))
places = st.none() | st.sampled_from(["L1", "L2", "L3"])


@st.composite
def lines(draw: st.DrawFn, line_id: str, revision: int) -> OrderLine:
    promise = draw(
        st.none() | st.builds(Promise, revision=st.just(revision), since=moments, until=moments)
    )
    return OrderLine(
        line_id=line_id, revision=revision, quantity=draw(st.integers(1, 5)),
        sku=draw(st.sampled_from(["S1", "S2", "S3"])),
        listing=draw(st.none() | st.sampled_from(["A1", "A2"])),
        cancelled=draw(small), shipped=draw(small), returned=draw(small),
        method=draw(st.none() | st.sampled_from(["home", "collect"])),
        fulfilled_by=draw(st.sampled_from(["us", "channel", "supplier"])),
        fulfil_from=draw(places), requested_for=draw(moments), promise=promise,
        shorts=draw(
            st.dictionaries(
                st.sampled_from(["L1", "L2"]), small.map(lambda h: NINE + timedelta(hours=h))
            )
        ),
    )  # fmt: skip


@st.composite
def states(draw: st.DrawFn) -> Order:
    revision = draw(small)
    named = draw(st.sets(st.sampled_from(["1", "2", "3"])))
    return Order(
        order_id="O1", revision=revision, channel=draw(st.sampled_from(["web", "shop"])),
        state=draw(st.sampled_from(OrderState)),
        cancel_reason=draw(st.none() | st.sampled_from(["customer", "payment"])),
        placed_at=draw(moments), zone=draw(st.none() | st.sampled_from(["FR-75", "BE"])),
        lines={name: draw(lines(name, revision)) for name in sorted(named)},
    )  # fmt: skip


@st.composite
def returned(draw: st.DrawFn) -> Return:
    revision = draw(small)
    named = draw(st.sets(st.sampled_from([("1", "S1"), ("2", "S1"), (None, "S2")])))
    buckets = st.dictionaries(st.sampled_from(["sellable", "damaged"]), st.integers(1, 4))
    return Return(
        return_id="R1", revision=revision, state=draw(st.sampled_from(ReturnState)),
        told_at=NINE + timedelta(hours=draw(small)), order_id=draw(st.none() | st.just("O1")),
        channel=draw(st.none() | st.just("web")), location=draw(places),
        lines={
            line_key(line_id, sku): ReturnLine(
                sku=sku, revision=revision, line_id=line_id, announced=draw(small),
                received=draw(small), graded=draw(buckets),
                reason=draw(st.none() | st.sampled_from(["broken", "size"])),
            )
            for line_id, sku in named
        },
    )  # fmt: skip


def any_order_gives_the_same(
    told: list[Told], data: st.DataObject, join: Callable[[Told, Told], Told]
) -> None:
    """Given some states: shuffled, some of them twice, joined in two halves, they fold the same."""
    expected = reduce(join, told)
    heard = data.draw(st.permutations([*told, *data.draw(st.lists(st.sampled_from(told)))]))
    cut = data.draw(st.integers(1, len(heard)))
    first, rest = reduce(join, heard[:cut]), heard[cut:]

    assert reduce(join, rest, first) == expected
    assert (join(first, reduce(join, rest)) if rest else first) == expected


@given(st.lists(states(), min_size=1, max_size=5), st.data())
def test_orders_told_in_any_order_and_twice_fold_the_same(
    told: list[Order], data: st.DataObject
) -> None:
    any_order_gives_the_same(told, data, join_orders)


@given(st.lists(returned(), min_size=1, max_size=5), st.data())
def test_returns_told_in_any_order_and_twice_fold_the_same(
    told: list[Return], data: st.DataObject
) -> None:
    any_order_gives_the_same(told, data, join_returns)


@given(st.lists(states(), min_size=1, max_size=5), states())
def test_totals_never_fall(told: list[Order], more: Order) -> None:
    before = reduce(join_orders, told)

    after = join_orders(before, more)

    for name, line in before.lines.items():
        now = after.lines[name]
        assert now.cancelled >= line.cancelled
        assert now.shipped >= line.shipped
        assert now.returned >= line.returned


def test_the_higher_revision_wins_whatever_comes_first() -> None:
    older = an_order(a_line(fulfil_from="L1"), zone="FR-75")
    newer = an_order(a_line(revision=2, fulfil_from=None), revision=2)

    folded = join_orders(newer, older)

    assert folded == join_orders(older, newer)
    assert (folded.revision, folded.zone) == (2, None)
    assert folded.lines["1"].fulfil_from is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("pending_payment", "confirmed", "confirmed", id="it_went_on"),
        pytest.param("confirmed", "closed", "closed", id="it_ended"),
        pytest.param("closed", "cancelled", "cancelled", id="a_cancel_is_not_dropped"),
    ],
)
def test_of_two_states_of_one_revision_the_further_one_counts(
    one: str, other: str, expected: str
) -> None:
    told = [an_order(state=OrderState(state)) for state in (one, other)]

    assert join_orders(*told).state == join_orders(*reversed(told)).state == expected


def test_the_first_promise_is_never_overwritten() -> None:
    first = Promise(revision=1, since=None, until=NINE)
    later = Promise(revision=2, since=None, until=NINE + timedelta(days=3))

    folded = join_orders(
        an_order(a_line(revision=2, promise=later), revision=2), an_order(a_line(promise=first))
    )

    assert folded.lines["1"].promise == first


@pytest.mark.parametrize(
    ("order", "wanted"),
    [
        pytest.param(an_order(), 2, id="as_ordered"),
        pytest.param(an_order(a_line(cancelled=1)), 1, id="less_what_was_cancelled"),
        pytest.param(an_order(a_line(cancelled=9)), 0, id="never_below_nothing"),
        pytest.param(an_order(a_line(shipped=2)), 2, id="shipments_are_not_subtracted"),
        pytest.param(an_order(state=OrderState.CLOSED), 2, id="closed_is_not_cancelled"),
        pytest.param(an_order(state=OrderState.CANCELLED), 0, id="cancelled"),
        pytest.param(an_order(revision=2), 0, id="a_line_that_is_gone"),
    ],
)
def test_what_a_line_wants(order: Order, wanted: int) -> None:
    assert order.wanted(order.lines["1"]) == wanted


def test_a_place_that_looked_in_vain_stays_one_when_a_later_state_does_not_repeat_it() -> None:
    short = an_order(a_line(shorts={"L1": NINE}))
    later = an_order(a_line(revision=2), revision=2)

    folded = join_orders(short, later)

    assert folded.lines["1"].shorts == {"L1": NINE}
