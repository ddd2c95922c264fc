"""Opening time between two moments, and what a silence comes to."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.ledger.domain.silence import (
    DAYS_MAX,
    Hours,
    Silence,
    judge_silence,
    open_seconds,
)

HOUR = 3_600
MONDAY = datetime(2026, 6, 1, tzinfo=UTC)
SHOP = Hours(weekly={day: ((time(9), time(12)), (time(14), time(18))) for day in range(1, 6)})


@pytest.mark.parametrize(
    ("begin", "end", "hours"),
    [
        pytest.param(10, 11, 1, id="while_it_is_open"),
        pytest.param(12, 14, 0, id="over_lunch"),
        pytest.param(8, 20, 7, id="a_day"),
        pytest.param(17, 24 + 10, 2, id="over_night"),
        pytest.param(4 * 24 + 17, 7 * 24 + 10, 2, id="over_the_weekend"),
        pytest.param(11, 10, 0, id="backwards"),
    ],
)
def test_only_opening_hours_count(begin: int, end: int, hours: int) -> None:
    one, other = MONDAY + timedelta(hours=begin), MONDAY + timedelta(hours=end)

    assert open_seconds(SHOP, one, other) == hours * HOUR


def test_a_place_without_hours_is_always_open() -> None:
    assert open_seconds(None, MONDAY, MONDAY + timedelta(days=2)) == 48 * HOUR


def test_an_exceptional_day_has_its_own_hours_or_none() -> None:
    hours = Hours(
        weekly=SHOP.weekly,
        exceptional={date(2026, 6, 1): (), date(2026, 6, 6): ((time(10), time(13)),)},
    )

    assert open_seconds(hours, MONDAY, MONDAY + timedelta(days=1)) == 0
    saturday = MONDAY + timedelta(days=5)
    assert open_seconds(hours, saturday, saturday + timedelta(days=2)) == 3 * HOUR


def test_hours_are_of_the_places_own_zone_also_when_its_clocks_change() -> None:
    paris = Hours(zone=ZoneInfo("Europe/Paris"), weekly={7: ((time(0), time(0)),)})

    sunday = datetime(2026, 3, 28, 23, tzinfo=UTC)  # midnight in Paris; an hour is missing

    assert open_seconds(paris, sunday - timedelta(days=1), sunday + timedelta(days=2)) == 23 * HOUR


def test_a_period_over_midnight_ends_on_the_next_day() -> None:
    bar = Hours(weekly={1: ((time(20), time(2)),)})
    tuesday = MONDAY + timedelta(days=1)

    assert open_seconds(bar, tuesday, tuesday + timedelta(hours=12)) == 2 * HOUR
    assert open_seconds(bar, MONDAY, tuesday + timedelta(hours=12)) == 6 * HOUR


def test_of_a_very_long_span_the_last_days_count() -> None:
    always = Hours(weekly={day: ((time(0), time(0)),) for day in range(1, 8)})

    assert open_seconds(always, MONDAY - timedelta(days=2_000), MONDAY) == DAYS_MAX * 24 * HOUR


@pytest.mark.parametrize(
    ("silent", "verdict"),
    [(600, Silence.NONE), (601, Silence.BUFFERED), (2_400, Silence.BUFFERED),
     (2_401, Silence.STOPPED)],
)  # fmt: skip
def test_a_silence_is_buffered_past_its_limit_and_stops_past_several(
    silent: int, verdict: Silence
) -> None:
    assert judge_silence(silent, 600, 4) is verdict
