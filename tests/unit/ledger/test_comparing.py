"""What an observation comes to beside what was posted."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ledger.domain.comparing import (
    OPEN,
    Place,
    State,
    judge,
    judge_count,
    next_look,
)

HERE, THERE, OTHER_SKU = Place(1, 1), Place(1, 2), Place(2, 1)
NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_nothing_posted_leaves_it_open() -> None:
    assert judge(HERE, {HERE: 1}, {}, "order_line") == OPEN


@pytest.mark.parametrize(
    ("observed", "posted", "state", "difference"),
    [
        pytest.param(3, 3, State.MATCHED, 0, id="the_same_units_match"),
        pytest.param(3, 2, State.DIFFERING, 1, id="the_second_parcel_is_not_posted_yet"),
        pytest.param(1, 2, State.DIFFERING, -1, id="it_was_posted_twice"),
        pytest.param(1, 0, State.DIFFERING, 1, id="it_was_posted_and_cancelled"),
    ],
)
def test_units_are_compared(observed: int, posted: int, state: State, difference: int) -> None:
    verdict = judge(HERE, {HERE: observed}, {HERE: posted}, "order_line")

    assert (verdict.state, verdict.difference, verdict.at) == (state, difference, HERE)


def test_what_was_posted_elsewhere_under_the_key_does_not_count_here() -> None:
    verdict = judge(HERE, {HERE: 1}, {HERE: 1, THERE: 5}, "order_line")

    assert verdict.state is State.MATCHED


def test_another_location_differs_even_where_the_units_are_the_same() -> None:
    verdict = judge(HERE, {HERE: 2}, {THERE: 2, OTHER_SKU: 1}, "order_line")

    assert (verdict.state, verdict.at, verdict.difference) == (State.DIFFERING, THERE, -1)


def test_another_sku_differs() -> None:
    verdict = judge(HERE, {HERE: 1}, {OTHER_SKU: 1}, "document")

    assert (verdict.state, verdict.at, verdict.difference) == (State.DIFFERING, OTHER_SKU, 0)


@pytest.mark.parametrize(("counted", "drift"), [(7, -3), (10, 0), (12, 2)])
def test_a_counts_drift_is_against_the_book(counted: int, drift: int) -> None:
    verdict = judge_count(HERE, counted, 10)

    assert verdict.difference == drift
    assert (verdict.state is State.MATCHED) == (drift == 0)


def test_it_is_looked_at_soon_then_less_often_and_at_last_never() -> None:
    ages = [timedelta(0), timedelta(minutes=2), timedelta(hours=10), timedelta(days=3)]

    pauses = [next_look(State.OPEN, NOON, NOON + age) for age in ages]

    assert [look - NOON - age for look, age in zip(pauses, ages, strict=True) if look] == [
        timedelta(seconds=1), timedelta(seconds=30), timedelta(minutes=5), timedelta(hours=6),
    ]  # fmt: skip
    assert next_look(State.OPEN, NOON, NOON + timedelta(days=31)) is None


def test_what_matched_is_looked_at_once_more() -> None:
    again = next_look(State.MATCHED, NOON, NOON + timedelta(minutes=1))

    assert again == NOON + timedelta(days=1)
    assert next_look(State.MATCHED, NOON, again) is None
