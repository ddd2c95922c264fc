"""Order lines: the pure rules of booking."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.lines import (
    Command,
    Line,
    Shelves,
    Took,
    book_all,
    booking_deltas,
    consume,
    want,
)

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def book_at_noon(todo: Sequence[Line], free: Mapping[int, int]) -> list[Line]:
    """Every line booked at noon."""
    return book_all(todo, Shelves(free), NOW)


def a_line(number: int = 1, **overrides: object) -> Line:
    return replace(
        Line(order_line_id=number, wanted=3, candidates=(10, 20)),
        **overrides,  # type: ignore[arg-type]  # the builder's overrides are checked by the values
    )


@pytest.mark.parametrize(
    ("free", "may_split", "booked", "short"),
    [
        pytest.param({10: 5, 20: 5}, False, {10: 3}, 0, id="the_first_that_serves_it_whole"),
        pytest.param({10: 2, 20: 3}, True, {20: 3}, 0, id="whole_goes_before_split"),
        pytest.param({10: 2, 20: 2}, True, {10: 2, 20: 1}, 0, id="split_in_candidate_order"),
        pytest.param({10: 2, 20: 2}, False, {10: 3}, 1, id="no_split_is_short_at_the_first"),
        pytest.param({10: -4, 20: 1}, True, {20: 1, 10: 2}, 2, id="the_rest_is_short"),
        pytest.param({}, False, {10: 3}, 3, id="nothing_anywhere"),
    ],
)
def test_a_line_is_booked_where_it_can_be_served(
    free: dict[int, int], may_split: bool, booked: dict[int, int], short: int
) -> None:
    (line,) = book_at_noon([a_line(may_split=may_split)], free)

    assert line.booked == booked
    assert line.short == short


def test_without_candidates_it_is_unsourced() -> None:
    (line,) = book_at_noon([a_line(candidates=())], {10: 5})

    assert (line.booked, line.short, line.unsourced) == ({}, 0, 3)


def test_a_booking_that_serves_its_line_is_not_moved() -> None:
    served = a_line(booked={20: 3})

    (line,) = book_at_noon([served], {10: 99, 20: 0})

    assert line.booked == {20: 3}


def test_an_older_short_line_is_served_before_a_younger_one() -> None:
    old = a_line(1, wanted=1, booked={10: 1}, short=1)
    young = a_line(2, wanted=1, booked={10: 1}, short=1)

    served = book_at_noon([old, young], {10: -1})

    assert [line.short for line in served] == [0, 1]


def test_a_lower_wish_releases_the_least_preferred_place_first() -> None:
    split = a_line(wanted=2, booked={10: 2, 20: 1})

    (line,) = book_at_noon([split], {10: 0, 20: 0})

    assert line.booked == {10: 2}


def test_nothing_wanted_books_nothing() -> None:
    (line,) = book_at_noon([a_line(wanted=0, booked={10: 1}, short=1)], {10: -1})

    assert (line.booked, line.short) == ({}, 0)


def test_a_shipment_consumes_its_own_place_first_and_more_than_booked_is_no_error() -> None:
    line = consume(a_line(booked={10: 2, 20: 1}), Took.SHIPPED, 1, 20)
    assert line.booked == {10: 2}

    line = consume(line, Took.SHIPPED, 5, None)
    assert (line.booked, line.claimed) == ({}, 0)


def test_a_command_counts_only_above_its_revision() -> None:
    line = a_line(revision=4)
    command = Command(revision=4, wanted=9, candidates=(30,), may_split=True)

    assert want(line, command) is line
    assert want(line, replace(command, revision=5)).wanted == 9


lines = st.lists(
    st.builds(
        a_line,
        number=st.integers(1, 10_000),
        wanted=st.integers(0, 9),
        shipped=st.integers(0, 9),
        may_split=st.booleans(),
        candidates=st.lists(st.sampled_from([10, 20, 30]), unique=True).map(tuple),
        held_from=st.sampled_from([None, NOW, NOW + timedelta(days=1)]),
    ),
    max_size=6,
    unique_by=lambda line: line.order_line_id,
)
free_units = st.dictionaries(st.sampled_from([10, 20, 30]), st.integers(-5, 15))


@given(lines, free_units)
def test_accepted_demand_is_always_in_the_books(todo: list[Line], free: dict[int, int]) -> None:
    for line in book_at_noon(todo, free):
        assert sum(line.booked.values()) + line.unsourced + line.dated == line.claimed


@given(lines, free_units)
def test_what_is_not_short_never_exceeds_what_was_free(
    todo: list[Line], free: dict[int, int]
) -> None:
    after = book_at_noon(todo, free)

    for level, taken in booking_deltas(todo, after).items():
        short = sum(line.short for line in after if line.candidates[:1] == (level,))
        assert taken - short <= max(0, free.get(level, 0))


def test_before_its_time_a_line_holds_nothing_and_stays_in_the_books() -> None:
    later = a_line(booked={10: 2}, held_from=NOW + timedelta(seconds=1))

    (line,) = book_at_noon([later], {10: 5})

    assert (line.booked, line.dated, line.claimed) == ({}, line.claimed, later.claimed)


def test_a_line_is_due_at_its_very_moment() -> None:
    (line,) = book_at_noon([a_line(held_from=NOW, dated=3)], {10: 99})

    assert (sum(line.booked.values()), line.dated) == (line.claimed, 0)


def test_a_line_for_later_takes_its_turn_when_its_time_has_come() -> None:
    early = NOW - timedelta(days=90)
    old = a_line(1, accepted_at=early, held_from=NOW)
    waiting = a_line(2, accepted_at=NOW - timedelta(days=1))

    assert sorted([old, waiting], key=lambda line: line.turn) == [waiting, old]


@pytest.mark.parametrize(
    ("free", "may_split", "booked", "short"),
    [
        pytest.param({10: 5, 20: 5}, False, {20: 3}, 0, id="the_next_that_serves_it"),
        pytest.param({10: 5, 20: 1}, True, {20: 3}, 2, id="what_lies_there_counts_for_nothing"),
        pytest.param({10: 5, 20: 1}, False, {20: 3}, 2, id="short_where_goods_would_be_offered"),
    ],
)
def test_nobody_counts_on_a_suspended_level(
    free: dict[int, int], may_split: bool, booked: dict[int, int], short: int
) -> None:
    shelves = Shelves(free, suspended=[10])

    (line,) = book_all([a_line(may_split=may_split)], shelves, NOW)

    assert (line.booked, line.short) == (booked, short)
    assert line.candidates[0] == 20 or not short


def test_a_line_that_can_go_nowhere_else_waits_at_its_suspended_place() -> None:
    held = a_line(candidates=(10,), booked={10: 3}, short=1)

    (line,) = book_all([held], Shelves({10: 7}, suspended=[10]), NOW)

    assert (line.booked, line.short) == ({10: 3}, 3)


def test_what_is_being_picked_at_a_suspended_level_stays() -> None:
    held = a_line(booked={10: 3})

    (line,) = book_all([held], Shelves({10: 0, 20: 9}, suspended=[10]), NOW)

    assert line.booked == {10: 3}
