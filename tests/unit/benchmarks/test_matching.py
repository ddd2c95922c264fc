"""Which call includes an event, and what time that makes."""

import pytest

from benchmarks.matching import Call, Scheduled, match, percentile

STOCK = 100


def at(*moments: int, entry: int = 1) -> list[Scheduled]:
    return [Scheduled(entry, moment) for moment in moments]


def test_a_call_includes_every_event_that_its_figure_has_counted() -> None:
    calls = [Call(50, 1, STOCK - 2), Call(90, 1, STOCK - 3)]

    matched = match(at(10, 20, 30), calls, STOCK)

    assert matched.times_us == [40, 30, 60]
    assert matched.impossible == []


def test_the_first_call_counts_and_not_its_repetition() -> None:
    calls = [Call(50, 1, STOCK - 1), Call(70, 1, STOCK - 1)]

    assert match(at(10), calls, STOCK).times_us == [40]


def test_calls_are_taken_in_the_order_of_their_arrival() -> None:
    calls = [Call(90, 1, STOCK - 2), Call(50, 1, STOCK - 1)]

    assert match(at(10, 20), calls, STOCK).times_us == [40, 70]


def test_an_older_figure_that_arrives_later_includes_nothing_new() -> None:
    calls = [Call(50, 1, STOCK - 2), Call(60, 1, STOCK - 1), Call(90, 1, STOCK - 3)]

    assert match(at(10, 20, 30), calls, STOCK).times_us == [40, 30, 60]


def test_an_event_that_no_call_includes_is_not_measured() -> None:
    assert match(at(10, 20), [Call(50, 1, STOCK - 1)], STOCK).times_us == [40, None]


def test_entries_do_not_answer_for_each_other() -> None:
    events = [*at(10, entry=1), *at(20, entry=2)]

    matched = match(events, [Call(50, 2, STOCK - 1)], STOCK)

    assert matched.times_us == [None, 30]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(STOCK - 2, id="less_than_all_sales_explain"),
        pytest.param(STOCK + 1, id="more_than_the_stock"),
    ],
)
def test_a_figure_that_never_was_is_impossible(value: int) -> None:
    matched = match(at(10), [Call(50, 1, value)], STOCK)

    assert matched.impossible == [Call(50, 1, value)]
    assert matched.times_us == [None]


def test_an_entry_without_events_shows_its_stock_and_nothing_else() -> None:
    calls = [Call(50, 7, STOCK), Call(60, 7, STOCK - 1)]

    assert match([], calls, STOCK).impossible == [Call(60, 7, STOCK - 1)]


@pytest.mark.parametrize(
    ("percent", "expected"),
    [(50, 50), (99, 99), (100, 100), (1, 1), (99.5, 100)],
)
def test_a_percentile_is_the_value_at_its_nearest_rank(percent: float, expected: int) -> None:
    assert percentile(range(1, 101), percent) == expected


def test_the_percentiles_of_one_value_are_that_value() -> None:
    assert {percentile([7], percent) for percent in (1, 50, 99, 100)} == {7}
