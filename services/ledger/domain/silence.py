"""How long a source has been silent in opening hours, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from enum import StrEnum

DAYS_MAX = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """When a place works, in its own time: periods by ISO weekday (Monday is 1), and dates with
    other periods, none of them when it is closed all day. A period that closes at midnight, or
    before it opens, ends on the next day.
    """

    zone: tzinfo = UTC
    weekly: Mapping[int, tuple[tuple[time, time], ...]] = field(default_factory=dict)
    exceptional: Mapping[date, tuple[tuple[time, time], ...]] = field(default_factory=dict)

    def periods(self, day: date) -> tuple[tuple[time, time], ...]:
        """The periods that begin on a day."""
        found = self.exceptional.get(day)
        return self.weekly.get(day.isoweekday(), ()) if found is None else found


class Silence(StrEnum):
    """What a silence comes to."""

    NONE = "none"
    BUFFERED = "buffered"
    STOPPED = "stopped"


def open_seconds(hours: Hours | None, begin: datetime, end: datetime) -> int:
    """Whole seconds between two moments at which the place was open; always, without hours.

    Of a span longer than 400 days only the last ones count.
    """
    if end <= begin:
        return 0
    if hours is None:
        return int((end - begin).total_seconds())
    begin = max(begin, end - timedelta(days=DAYS_MAX))
    day, last = (begin - timedelta(days=1)).astimezone(hours.zone).date(), end
    total = timedelta(0)
    while day <= last.astimezone(hours.zone).date():
        for opens, closes in hours.periods(day):
            next_day = timedelta(days=int(closes <= opens))
            one = datetime.combine(day, opens, hours.zone).astimezone(UTC)
            other = datetime.combine(day + next_day, closes, hours.zone).astimezone(UTC)
            total += max(timedelta(0), min(other, end) - max(one, begin))
        day += timedelta(days=1)
    return int(total.total_seconds())


def judge_silence(silent_seconds: int, max_silence_seconds: int, stop_after: int) -> Silence:
    """A silence longer than the source's limit is buffered; past `stop_after` limits the place is
    not offered at a distance.
    """
    assert max_silence_seconds > 0 < stop_after, (max_silence_seconds, stop_after)
    if silent_seconds <= max_silence_seconds:
        return Silence.NONE
    over = silent_seconds > max_silence_seconds * stop_after
    return Silence.STOPPED if over else Silence.BUFFERED
