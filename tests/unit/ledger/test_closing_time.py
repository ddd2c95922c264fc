"""The closing time of the next open day: exceptional days, midnight, nights when clocks change."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.ledger.domain.closing_time import closing_of_next_open_day
from services.ledger.domain.silence import Hours

PARIS = ZoneInfo("Europe/Paris")
DAY = ((time(9), time(12)), (time(14), time(19)))
# Monday to Saturday; closed on Sundays.
WEEKLY = dict.fromkeys(range(1, 7), DAY)


def paris(day: str, clock: str = "15:00") -> datetime:
    return datetime.fromisoformat(f"{day}T{clock}").replace(tzinfo=PARIS)


def hours(**exceptional: tuple[tuple[time, time], ...]) -> Hours:
    days = {date.fromisoformat(day.replace("_", "-")[1:]): one for day, one in exceptional.items()}
    return Hours(zone=PARIS, weekly=WEEKLY, exceptional=days)


@pytest.mark.parametrize(
    ("place", "now", "expected"),
    [
        pytest.param(
            hours(), paris("2026-06-01"), paris("2026-06-02", "19:00"), id="the_day_after_today"
        ),
        pytest.param(
            hours(), paris("2026-06-01", "07:00"), paris("2026-06-02", "19:00"),
            id="not_today_even_before_it_opens",
        ),
        pytest.param(
            hours(), paris("2026-06-06"), paris("2026-06-08", "19:00"), id="over_a_closed_sunday"
        ),
        pytest.param(
            hours(d2026_06_02=()), paris("2026-06-01"), paris("2026-06-03", "19:00"),
            id="over_a_holiday",
        ),
        pytest.param(
            hours(d2026_06_07=((time(10), time(17)),)), paris("2026-06-06"),
            paris("2026-06-07", "17:00"), id="a_sunday_that_is_open_for_once",
        ),
        pytest.param(
            hours(d2026_06_02=((time(18), time(2)),)), paris("2026-06-01"),
            paris("2026-06-03", "02:00"), id="a_night_belongs_to_the_day_it_begins",
        ),
        pytest.param(
            hours(d2026_06_02=((time(9), time(0)),)), paris("2026-06-01"),
            paris("2026-06-03", "00:00"), id="until_midnight",
        ),
        pytest.param(
            hours(), paris("2026-06-01", "23:30"), paris("2026-06-02", "19:00"),
            id="today_is_the_place_s_own",
        ),
    ],
)  # fmt: skip
def test_a_place_closes_on_its_next_open_day(
    place: Hours, now: datetime, expected: datetime
) -> None:
    assert closing_of_next_open_day(place, now.astimezone(UTC)) == expected.astimezone(UTC)


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        pytest.param("2026-03-28T15:00+01:00", "2026-03-29T17:00+00:00", id="clocks_go_forward"),
        pytest.param("2026-10-24T15:00+02:00", "2026-10-25T18:00+00:00", id="clocks_go_back"),
    ],
)
def test_it_is_the_wall_s_time_where_the_clock_has_changed_in_between(
    now: str, expected: str
) -> None:
    every_day = Hours(zone=PARIS, weekly=dict.fromkeys(range(1, 8), DAY))

    found = closing_of_next_open_day(every_day, datetime.fromisoformat(now))

    assert found == datetime.fromisoformat(expected)


def test_without_hours_or_open_days_it_is_a_day_from_now() -> None:
    now = paris("2026-06-01")

    assert closing_of_next_open_day(None, now) == now + timedelta(days=1)
    assert closing_of_next_open_day(Hours(zone=PARIS), now) == now + timedelta(days=1)
