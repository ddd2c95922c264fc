"""Weighted average cost: worked examples, and that the order of arrival doesn't matter."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.costing import Move, State, points

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_move(
    kind: str, quantity: int, cost: str | None = None, *, hour: int = 0, number: int = 0,
    came_from: str | None = None, goes_to: str | None = None, currency: str | None = "EUR",
) -> Move:  # fmt: skip
    """Into or out of the entity `fr`, as the type has it, unless said otherwise."""
    is_in = kind in ("opening", "receipt", "return", "count")
    if came_from is None and goes_to is None:
        came_from, goes_to = (None, "fr") if is_in else ("fr", None)
    return Move(
        event_id=UUID(int=number), at=NOON + timedelta(hours=hour), type=kind, quantity=quantity,
        came_from=came_from, goes_to=goes_to, unit_cost=None if cost is None else Decimal(cost),
        currency=currency if cost else None,
    )  # fmt: skip


def last(*moves: Move, entity: str = "fr") -> State:
    numbered = [
        Move(
            event_id=UUID(int=n), at=m.at, type=m.type, quantity=m.quantity, unit_cost=m.unit_cost,
            came_from=m.came_from, goes_to=m.goes_to, currency=m.currency,
        )
        for n, m in enumerate(moves)
    ]  # fmt: skip
    found = points({}, numbered)
    return found[-1].states.get(entity, State()) if found else State()


@pytest.mark.parametrize(
    ("moves", "cost"),
    [
        pytest.param(
            # OpenStax, Principles of Accounting 1, section 10.3, perpetual average: 150 at 27
            # and 225 at 30 are 28.80; sales of 120 leave it.
            [a_move("opening", 150, "27"), a_move("receipt", 225, "30", hour=2)],
            "28.800000", id="openstax",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("sale", 4, hour=1),
             a_move("receipt", 6, "10", hour=2)],
            "7.500000", id="what_was_sold_weighs_no_more",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("sale", 12, hour=1),
             a_move("receipt", 6, "9", hour=2)],
            "9.000000", id="an_empty_shelf_begins_anew",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("receipt", 10, "7", hour=1),
             a_move("supplier_return", 10, "7", hour=2)],
            "5.000000", id="what_goes_back_takes_its_cost_along",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("supplier_return", 10, "7", hour=1)],
            "5.000000", id="the_last_goes_back",
        ),
        pytest.param(
            [a_move("receipt", 3, "1"), a_move("receipt", 1, "2", hour=1),
             a_move("receipt", 3, "1", hour=2)],
            "1.142857", id="rounded_at_six_places",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("return", 10, "9", hour=1)],
            "5.000000", id="a_customers_return_comes_at_the_average",
        ),
        pytest.param(
            [a_move("receipt", 10, "5"), a_move("receipt", 2, "5", hour=0, came_from="fr"),
             a_move("receipt", 8, "8", hour=1)],
            "6.500000", id="a_receipt_taken_back_at_its_moment",
        ),
    ],
)  # fmt: skip
def test_the_average_moves_with_what_comes_in(moves: list[Move], cost: str) -> None:
    assert last(*moves).unit_cost == Decimal(cost)


def test_units_without_a_cost_come_in_at_the_average_and_are_counted_where_there_is_none() -> None:
    before = last(a_move("receipt", 10), a_move("receipt", 10, "4", hour=1))
    other = last(a_move("receipt", 10, "4"), a_move("receipt", 5, "9", currency="USD", hour=1))

    assert (before.unit_cost, before.uncosted) == (Decimal("4.000000"), 10)
    assert (other.unit_cost, other.currency, other.uncosted) == (Decimal("4.000000"), "EUR", 5)


def test_a_transfer_takes_the_givers_average_to_another_entity() -> None:
    moves = [
        a_move("receipt", 10, "5"),
        a_move("receipt", 10, "8", goes_to="be"),
        a_move("transfer_dispatch", 10, hour=1, came_from="fr", goes_to="be"),
    ]

    assert last(*moves, entity="be").unit_cost == Decimal("6.500000")
    assert last(*moves).quantity == 0


def test_only_moments_that_change_a_cost_have_a_point() -> None:
    found = points(
        {}, [a_move("receipt", 10, "5"), a_move("sale", 1, hour=1), a_move("sale", 1, hour=2)]
    )

    assert [point.at for point in found] == [NOON]


kinds = st.sampled_from(["receipt", "sale", "supplier_return", "return", "opening"])
moved = st.lists(
    st.tuples(
        kinds, st.integers(1, 50), st.none() | st.integers(1, 900), st.integers(0, 12),
        st.sampled_from(["fr", "be"]),
    ),
    max_size=12,
)  # fmt: skip


@given(moved, st.randoms(use_true_random=False), st.integers(0, 12))
def test_the_order_of_arrival_and_where_it_is_taken_up_again_do_not_matter(
    told: list[tuple[str, int, int | None, int, str]], rng: object, hour: int
) -> None:
    moves = [
        a_move(
            kind, quantity, None if cents is None else str(Decimal(cents) / 100), hour=at, number=n,
            **({"goes_to": entity} if kind in ("receipt", "return", "opening")
               else {"came_from": entity}),
        )
        for n, (kind, quantity, cents, at, entity) in enumerate(told)
    ]  # fmt: skip
    whole = points({}, moves)
    shuffled = list(moves)
    rng.shuffle(shuffled)  # type: ignore[attr-defined]  # hypothesis gives a Random

    assert points({}, shuffled) == whole
    since = NOON + timedelta(hours=hour)
    base = next((p for p in reversed(whole) if p.at < since), None)
    rest = moves if base is None else [m for m in moves if m.at > base.at]
    again = points({} if base is None else base.states, rest)
    assert [p for p in whole if p.at < since] + [p for p in again if p.at >= since] == whole
    assert all(
        state.unit_cost is None or state.unit_cost >= 0
        for point in whole for state in point.states.values()
    )  # fmt: skip
