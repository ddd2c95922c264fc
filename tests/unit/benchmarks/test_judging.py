"""What a run's figures are judged by: invariants, peers' answers, goals, positions."""

import pytest

from benchmarks.invariants import compared, offered, shown_in
from benchmarks.peering import PEERS, judged
from benchmarks.progress import reached
from benchmarks.tables import goals

PEER = PEERS[0]


def test_equal_books_hold_and_say_how_much_was_looked_at() -> None:
    found = compared("x", {"a": 1, "b": 2}, {"a": 1, "b": 2})

    assert found.holds
    assert found.checked == 2


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        pytest.param({"a": 1}, {"a": 2}, id="other_value"),
        pytest.param({"a": 1}, {}, id="missing"),
        pytest.param({}, {"a": 1}, id="too_much"),
    ],
)
def test_a_difference_on_either_side_is_a_violation(
    wanted: dict[str, int], found: dict[str, int]
) -> None:
    invariant = compared("x", wanted, found)

    assert not invariant.holds
    assert invariant.violations == 1
    assert invariant.examples


def test_at_most_three_examples_are_shown() -> None:
    invariant = compared("x", {number: 1 for number in range(10)}, {})

    assert invariant.violations == 10
    assert len(invariant.examples) == 3


@pytest.mark.parametrize(
    ("levels", "expected"),
    [
        pytest.param({("a", "1"): 10, ("a", "2"): 6}, 7, id="a_buffer_per_location"),
        pytest.param({("a", "1"): 10, ("a", "2"): -8}, 3, id="a_negative_book_offers_nothing"),
        pytest.param({("a", "1"): 4}, 0, id="never_below_zero"),
    ],
)
def test_the_formula_takes_the_buffers_off(
    levels: dict[tuple[str, str], int], expected: int
) -> None:
    assert offered(levels, location_buffer=2, channel_buffer=5) == {"a": expected}


def test_the_view_is_read_from_its_first_line() -> None:
    view = {
        "a": (1, b'{"web":{"available_to_sell":4,"version":1}}\n{"levels":{}}'),
        "b": (1, b""),
    }

    assert shown_in(view, "web") == {"a": 4, "b": 0}


def test_a_peers_last_line_is_its_measurement() -> None:
    output = 'starting\n{"events": 500, "seconds": 2.0, "version": "1.2"}\n'

    measured = judged(PEER, 0, output, "")

    assert measured.events_per_second == 250
    assert measured.version == "1.2"


@pytest.mark.parametrize(
    "output",
    [
        pytest.param("", id="silence"),
        pytest.param("Traceback", id="no_json"),
        pytest.param('{"events": 0, "seconds": 0.0}', id="nothing_read"),
        pytest.param('{"events": 10}', id="no_time"),
    ],
)
def test_a_peer_without_a_measurement_has_a_reason_and_no_rate(output: str) -> None:
    measured = judged(PEER, 1, output, "no broker")

    assert measured.events_per_second is None
    assert "no broker" in measured.reason


def test_goals_are_ratios_to_the_peers_of_the_same_run() -> None:
    lines = list(goals(50_000, {"faust_noop": 10_000, "quix_stateful": 100_000}))

    assert lines == [
        "goal 4 × faust_noop: reached (5.00 ×)",
        "goal 0.6 × quix_stateful: missed (0.50 ×)",
        "goal beyond, 60,000 events/s: missed (50,000)",
    ]


def test_nothing_is_said_against_a_peer_that_did_not_run() -> None:
    assert len(list(goals(70_000, {"faust_noop": None}))) == 1


@pytest.mark.parametrize(
    ("positions", "expected"),
    [
        pytest.param({0: 5, 1: 7}, True, id="at_the_ends"),
        pytest.param({0: 5, 1: 6}, False, id="one_behind"),
        pytest.param({0: 5}, False, id="one_not_claimed"),
    ],
)
def test_a_topic_is_read_when_every_partition_is(
    positions: dict[int, int], *, expected: bool
) -> None:
    assert reached(positions, {0: 5, 1: 7}) is expected
