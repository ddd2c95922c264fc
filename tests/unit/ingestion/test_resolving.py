"""From a shop's words to ours, and the place of a state among those told before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingestion.channels import ToldOrder, ToldRefund
from services.ingestion.domain.listings import Listing, in_force
from services.ingestion.handlers.resolving import fold, refund, resolve, unknown_code
from services.ingestion.repository.orders import KeptOrder
from shared.contracts.orders import CancelReason, FulfilledBy, Order, OrderLine, OrderState
from shared.contracts.records import Undecodable

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_listing(sku: str = "S1", units: int = 1, **overrides: Any) -> Listing:
    """A record that has always held."""
    fields: dict[str, Any] = {"from_at": NOON - timedelta(days=365), "until_at": None}
    return Listing(sku=sku, units=units, **(fields | {"fulfilled_by": "us"} | overrides))


def a_line(**overrides: Any) -> OrderLine:
    """Three of listing 11."""
    fields: dict[str, Any] = {"line_id": "1", "listing": "11", "quantity": 3}
    return OrderLine(**(fields | overrides))


def an_order(*lines: OrderLine, second: int = 0, **overrides: Any) -> ToldOrder:
    """A confirmed order, as told some seconds after noon."""
    fields: dict[str, Any] = {
        "order_id": "web:1", "channel": "web", "state": OrderState.CONFIRMED,
        "updated_at": NOON + timedelta(seconds=second), "placed_at": NOON,
        "lines": lines or (a_line(),),
    }  # fmt: skip
    return ToldOrder(order=Order(**(fields | overrides)))


def resolved(told: ToldOrder, units: int = 1) -> KeptOrder:
    """Every listing known, at so many base units."""
    known = {("web", line.listing or ""): [a_listing(units=units)] for line in told.order.lines}
    found = resolve(told, known)
    assert isinstance(found, KeptOrder)
    return found


def test_quantities_and_prices_are_of_base_units() -> None:
    line = a_line(cancelled=1, shipped=1, unit_price="12.00", currency="EUR")
    told = ToldOrder(order=an_order(line).order, refunds={"9": {"1": 1}})

    known = {("web", "11"): [a_listing("S1", units=6, fulfilled_by="channel")]}
    found = resolve(told, known)

    assert isinstance(found, KeptOrder)
    (line,) = found.order.lines
    assert (line.sku, line.listing, line.quantity, line.cancelled) == ("S1", "11", 18, 6)
    assert (line.shipped, str(line.unit_price)) == (6, "2")
    assert line.fulfilled_by is FulfilledBy.CHANNEL
    assert found.refunds == {"9": {"1": 6}}


def test_an_order_waits_for_its_first_unknown_code() -> None:
    told = an_order(a_line(), a_line(line_id="2", listing="22"))

    assert unknown_code(told, {("web", "11"): [a_listing()]}) == "22"
    assert unknown_code(told, {("other", "11"): [a_listing()]}) == "11"


def test_a_quantity_beyond_the_contract_is_refused_not_cut() -> None:
    found = resolve(an_order(a_line(quantity=10**9)), {("web", "11"): [a_listing(units=2)]})

    assert isinstance(found, Undecodable)


@pytest.mark.parametrize(
    ("days", "sku"),
    [(-400, "NEW"), (-200, "OLD"), (0, "NEW")],
    ids=["before_all_the_last_one", "then_the_old_one", "now_the_new_one"],
)
def test_a_code_means_what_it_meant_when_the_order_was_placed(days: int, sku: str) -> None:
    changed = NOON - timedelta(days=100)
    records = [
        a_listing("NEW", from_at=changed), a_listing("OLD", until_at=changed),
    ]  # fmt: skip

    found = in_force(records, NOON + timedelta(days=days))

    assert found is not None
    assert found.sku == sku


def test_a_late_state_does_not_undo_a_newer_one() -> None:
    newer = resolved(an_order(a_line(quantity=2), second=9, state=OrderState.CANCELLED))
    late = resolved(an_order(a_line(quantity=3), second=1))

    assert fold(newer, late) == fold(late, newer)
    assert fold(newer, late).order.state is OrderState.CANCELLED
    assert fold(newer, late).order.lines[0].quantity == 2


def test_two_states_of_one_second_merge_and_a_cancel_is_not_lost() -> None:
    confirmed = resolved(an_order(second=1))
    cancelled = resolved(
        an_order(second=1, state=OrderState.CANCELLED, cancel_reason=CancelReason.OTHER)
    )

    one, other = fold(confirmed, cancelled).order, fold(cancelled, confirmed).order

    assert one == other
    assert (one.state, one.cancel_reason) == (OrderState.CANCELLED, "other")


def test_a_cancelled_order_that_comes_back_is_wanted_again() -> None:
    cancelled = resolved(an_order(second=1, state=OrderState.CANCELLED))
    back = resolved(an_order(second=2))

    found = fold(cancelled, back).order

    assert (found.state, found.lines[0].cancelled) == (OrderState.CONFIRMED, 0)


def test_totals_never_fall() -> None:
    more = resolved(an_order(a_line(cancelled=1, shipped=2, returned=1), second=1))
    less = resolved(an_order(a_line(), second=2))

    (line,) = fold(more, less).order.lines

    assert (line.cancelled, line.shipped, line.returned) == (1, 2, 1)


def test_the_same_state_again_changes_nothing() -> None:
    state = resolved(an_order(second=1), units=6)

    assert fold(state, state) == state


def test_refunds_add_up_and_each_counts_once() -> None:
    order = resolved(an_order(a_line(quantity=3)), units=2)
    first = ToldRefund(order_id="web:1", refund_id="9", cancelled={"1": 1})
    second = ToldRefund(order_id="web:1", refund_id="10", cancelled={"1": 1, "77": 4})

    once = refund(order, first)
    twice = refund(refund(once, second), first)

    assert [line.cancelled for line in once.order.lines] == [2]
    assert [line.cancelled for line in twice.order.lines] == [4]


def test_a_refund_is_not_counted_again_when_the_order_tells_it() -> None:
    known = refund(
        resolved(an_order(a_line(quantity=3), second=1)),
        ToldRefund(order_id="web:1", refund_id="9", cancelled={"1": 1}),
    )
    told = ToldOrder(
        order=an_order(a_line(quantity=3, cancelled=1), second=2).order, refunds={"9": {"1": 1}}
    )

    assert fold(known, resolved(told)).order.lines[0].cancelled == 1
