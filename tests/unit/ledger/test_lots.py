"""Lots on a shelf: what is left of each, first expired first out."""

from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.lots import Lot, Shelf, on_shelf

TODAY = date(2026, 6, 1)


def a_lot(code: str | None, units: int, days: int | None = None) -> Lot:
    """A lot that expires so many days from today."""
    return Lot(code, None if days is None else TODAY + timedelta(days=days), units)


@pytest.mark.parametrize(
    ("named", "sellable", "left"),
    [
        ([a_lot("A", 5, 3), a_lot("B", 5, 9)], 10, [a_lot("A", 5, 3), a_lot("B", 5, 9)]),
        ([a_lot("B", 5, 9), a_lot("A", 5, 3)], 8, [a_lot("A", 3, 3), a_lot("B", 5, 9)]),
        ([a_lot("A", 5, 3), a_lot("B", 5, 9)], 4, [a_lot("B", 4, 9)]),
        ([a_lot("A", 5, 3), a_lot("B", 5)], 7, [a_lot("A", 2, 3), a_lot("B", 5)]),
        ([a_lot("A", 5, 3)], 7, [a_lot("A", 5, 3), a_lot(None, 2)]),
        ([a_lot("A", 5, 3)], 0, []),
        ([a_lot("A", 5, 3)], -2, []),
        ([], 3, [a_lot(None, 3)]),
    ],
)
def test_what_is_left_is_what_expires_last(
    named: list[Lot], sellable: int, left: list[Lot]
) -> None:
    assert on_shelf(named, sellable).lots == left


lots = st.lists(
    st.builds(
        a_lot, st.sampled_from("ABCDEF"), st.integers(-3, 20),
        st.none() | st.integers(-5, 30),
    ),
    unique_by=lambda lot: lot.code, max_size=6,
)  # fmt: skip


@given(lots, st.integers(-5, 80))
def test_every_unit_on_the_shelf_is_of_one_lot_and_no_lot_has_more_than_was_named(
    named: list[Lot], sellable: int
) -> None:
    shelf = on_shelf(named, sellable)

    assert sum(lot.units for lot in shelf.lots) == max(0, sellable)
    units = {lot.code: lot.units for lot in named}
    assert all(0 < lot.units <= units[lot.code] for lot in shelf.lots if lot.code is not None)
    days = [lot.expires_on or date.max for lot in shelf.lots]
    assert days == sorted(days)


@pytest.mark.parametrize(
    ("days_left", "asked", "expired", "short_dated"),
    [(-1, 0, True, 0), (0, 0, False, 0), (0, 1, False, 5), (2, 3, False, 5), (3, 3, False, 0),
     (-1, 9, True, 0), (None, 9, False, 0)],
)  # fmt: skip
def test_a_lot_is_usable_through_its_last_day(
    days_left: int | None, asked: int, expired: bool, short_dated: int
) -> None:
    shelf = Shelf(lots=[a_lot("A", 5, days_left)])

    assert bool(shelf.expired(TODAY)) is expired
    assert shelf.short_dated(TODAY, asked) == short_dated
    assert shelf.expires is (days_left is not None)
