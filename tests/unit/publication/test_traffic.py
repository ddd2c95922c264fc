"""Pace, batch size, breaker, retries, and the guard of a full resync."""

import random

import pytest

from services.publication.channels import Answer
from services.publication.domain.breaking import Breaker, State, retry_seconds
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.guarding import BlastRadius, guard
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Fate,
    Judging,
    Outcome,
    Refused,
    Then,
    Throttled,
    Unknown,
    consequence,
    read_back,
)
from services.publication.domain.pacing import BatchLimit, Heard, Pace
from services.publication.engine.traffic import Traffic
from tests.unit.publication.builders import wanted


@pytest.mark.parametrize(
    ("per_second", "seconds", "wait"),
    [
        pytest.param(1 / 60, 20.0, 40.0, id="the_rest_of_the_minute"),
        pytest.param(1 / 60, 0.0, 60.0, id="called_this_moment"),
        pytest.param(1 / 60, 90.0, 0.0, id="long_ago"),
        pytest.param(None, 0.0, 0.0, id="no_limit_is_known"),
    ],
)
def test_a_pace_goes_on_from_an_earlier_owners_call(
    per_second: float | None, seconds: float, wait: float
) -> None:
    pace = Pace(per_second=per_second, burst=1.0, now=100.0)

    pace.begin_after(seconds, 100.0)

    assert pace.wait_seconds(100.0) == pytest.approx(wait)


def test_a_pace_is_kept_and_begins_without_a_burst() -> None:
    pace = Pace(per_second=2.0, burst=5.0, now=0.0)

    assert pace.wait_seconds(0.0) == 0.0
    pace.spend(0.0)
    assert pace.wait_seconds(0.0) == pytest.approx(0.5)
    assert pace.wait_seconds(0.5) == 0.0
    assert pace.wait_seconds(100.0) == 0.0
    for _ in range(5):
        pace.spend(100.0)
    assert pace.wait_seconds(100.0) == pytest.approx(0.5)


def test_a_channel_without_a_known_limit_is_only_held_by_its_own_word() -> None:
    pace = Pace(per_second=None, burst=1.0, now=0.0)
    for _ in range(100):
        pace.spend(0.0)
    assert pace.wait_seconds(0.0) == 0.0

    pace.block(3.0, 1.0)
    pace.block(1.0, 1.5)

    assert pace.wait_seconds(2.0) == 2.0
    assert pace.wait_seconds(4.0) == 0.0


def test_the_channels_own_budget_is_believed() -> None:
    pace = Pace(per_second=1.0, burst=10.0, now=0.0)

    pace.hear(Heard(remaining=0.0, per_second=4.0, burst=20.0), 0.0)

    assert pace.wait_seconds(0.0) == pytest.approx(0.25)
    pace.hear(Heard(remaining=7.0), 1.0)
    assert pace.wait_seconds(1.0) == 0.0


def test_a_batch_is_halved_when_too_large_and_grows_back() -> None:
    limit = BatchLimit(100)

    limit.shrink()
    assert limit.size == 50
    for _ in range(10):
        limit.shrink()
    assert limit.size == 1
    for _ in range(200):
        limit.grow()
    assert limit.size == 100


def test_the_breaker_opens_tries_once_and_closes() -> None:
    breaker = Breaker()
    for _ in range(4):
        breaker.fail(0.0)
    assert breaker.state(0.0) is State.CLOSED
    breaker.fail(0.0)

    assert breaker.state(0.0) is State.OPEN
    assert breaker.wait_seconds(0.5) == 1.5
    assert breaker.state(2.0) is State.HALF_OPEN
    assert breaker.wait_seconds(2.0) == 0.0
    breaker.begin(2.0)
    assert breaker.wait_seconds(2.0) is None
    breaker.abandon()
    assert breaker.wait_seconds(2.0) == 0.0
    breaker.begin(2.0)
    breaker.fail(2.5)
    assert breaker.wait_seconds(2.5) == 4.0
    breaker.begin(6.5)
    breaker.succeed()
    assert breaker.wait_seconds(6.5) == 0.0


def test_a_failed_trial_never_waits_longer_than_its_limit() -> None:
    breaker, now = Breaker(), 0.0
    for _ in range(20):
        now += breaker.wait_seconds(now) or 0.0
        breaker.begin(now)
        breaker.fail(now)

    assert breaker.wait_seconds(now) == 15.0


def test_retries_spread_and_have_a_limit() -> None:
    rng = random.Random(1)
    first = [retry_seconds(1, rng) for _ in range(100)]
    late = [retry_seconds(50, rng) for _ in range(100)]

    assert 0.1 <= min(first) < max(first) <= 0.2
    assert 7.5 <= min(late) < max(late) <= 15.0


@pytest.mark.parametrize(
    ("outcome", "can_read_back", "fate", "then", "shown", "failures"),
    [
        pytest.param(Acknowledged(), True, Fate.ACKNOWLEDGED, Then.SETTLED, 10, 0, id="taken"),
        pytest.param(
            Refused(code="x"), True, Fate.REFUSED, Then.SETTLED, 99, 2, id="refused_for_good"
        ),
        pytest.param(Throttled(), True, Fate.THROTTLED, Then.RETRIED, 99, 2, id="too_many_calls"),
        pytest.param(Failed(code="x"), True, Fate.FAILED, Then.RETRIED, 99, 3, id="not_applied"),
        pytest.param(Unknown(code="x"), True, Fate.UNKNOWN, Then.IN_DOUBT, None, 3, id="unknown"),
        pytest.param(
            Unknown(code="x"), False, Fate.UNKNOWN, Then.RETRIED, None, 3, id="unknown_for_good"
        ),
    ],
)
def test_what_follows_from_each_outcome(
    outcome: Outcome, can_read_back: bool, fate: Fate, then: Then, shown: int | None, failures: int
) -> None:
    found = consequence(wanted(failures=2), outcome, Judging(can_read_back=can_read_back))

    assert (found.fate, found.then) == (fate, then)
    assert (found.desired.shown, found.desired.failures) == (shown, failures)


def test_a_read_back_confirms_or_contradicts() -> None:
    confirmed = read_back(wanted(value=10, shown=None, is_resync=True), 10, Judging())
    contradicted = read_back(wanted(value=10, shown=None), 12, Judging())
    missing = read_back(wanted(value=10, shown=None), None, Judging())

    assert (confirmed.fate, confirmed.then) == (Fate.CONFIRMED, Then.SETTLED)
    assert not confirmed.desired.is_resync
    assert (contradicted.fate, contradicted.desired.shown) == (Fate.CONTRADICTED, 12)
    assert (missing.then, missing.desired.shown) == (Then.RETRIED, None)


@pytest.mark.parametrize(
    ("listings", "changed", "zeroed", "is_confirmed", "rule"),
    [
        pytest.param(100, 50, 20, False, None, id="at_both_limits"),
        pytest.param(100, 21, 21, False, "too_many_zeros", id="more_than_a_fifth_to_zero"),
        pytest.param(100, 51, 0, False, "too_many_changes", id="more_than_half_changed"),
        pytest.param(100, 100, 100, False, "too_many_zeros", id="zeros_are_named_first"),
        pytest.param(100, 100, 100, True, None, id="confirmed"),
        pytest.param(19, 19, 19, False, None, id="a_handful"),
    ],
)
def test_the_guard(
    listings: int, changed: int, zeroed: int, is_confirmed: bool, rule: str | None
) -> None:
    radius = BlastRadius(listings=listings, changed=changed, zeroed=zeroed)

    stopped = guard(radius, is_confirmed=is_confirmed)

    assert (None if stopped is None else stopped.rule) == rule


def a_traffic() -> Traffic:
    return Traffic(Descriptor(kind="test", batch_max=8), random.Random(3), 0.0)


def an_answer(*outcomes: Outcome) -> Answer:
    return Answer(outcomes=dict(enumerate(outcomes)))


def test_an_oversized_call_shrinks_the_next_and_breaks_nothing() -> None:
    traffic = a_traffic()

    pauses = [
        traffic.learn(an_answer(Failed(code="413", is_oversized=True)), 0.0) for _ in range(9)
    ]

    assert pauses == [0.0] * 9
    assert traffic.batch_max == 1
    assert traffic.breaker_state(0.0) is State.CLOSED


def test_calls_that_fail_as_a_whole_open_the_breaker_and_wait_longer_each_time() -> None:
    traffic = a_traffic()

    pauses = [
        traffic.learn(an_answer(Failed(code="503"), Failed(code="503")), 0.0) for _ in "12345"
    ]

    assert traffic.breaker_state(0.0) is State.OPEN
    assert pauses[4] > pauses[2] > pauses[0]


def test_one_entry_that_fails_is_no_failure_of_the_channel() -> None:
    traffic = a_traffic()

    for _ in range(20):
        pause = traffic.learn(an_answer(Failed(code="500"), Acknowledged()), 0.0)

    assert traffic.breaker_state(0.0) is State.CLOSED
    assert 0.1 <= pause <= 0.2


def test_retry_after_holds_every_call_and_silence_backs_off() -> None:
    told, silent = a_traffic(), a_traffic()

    told.learn(an_answer(Throttled(retry_after_seconds=7.0)), 0.0)
    waits = []
    for _ in range(3):
        silent.learn(an_answer(Throttled()), 0.0)
        waits.append(silent.wait_seconds(0.0))

    assert told.wait_seconds(0.0) == 7.0
    assert waits[0] is not None
    assert waits == sorted(waits, key=lambda w: w or 0.0)
    assert told.breaker_state(0.0) is State.CLOSED


def test_a_timeout_shrinks_the_batch_and_a_budget_is_heard() -> None:
    traffic = a_traffic()

    traffic.learn(an_answer(Unknown(code="timeout")), 0.0)
    assert traffic.batch_max == 4
    heard = Heard(remaining=0.0, per_second=2.0, burst=4.0)
    traffic.learn(Answer(outcomes={1: Acknowledged()}, heard=heard), 0.0)

    assert traffic.wait_seconds(0.0) == pytest.approx(0.5)
    assert traffic.batch_max == 5
