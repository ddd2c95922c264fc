"""When a place closes on its next open day: until then a customer may come for what is held."""

from datetime import UTC, datetime, timedelta

from services.ledger.domain.silence import Hours

# How far an open day is looked for, and how long a hold lasts at a place of which nobody has told
# when it is open, or that opens on none of these days.
DAYS_LOOKED = 60
WITHOUT_HOURS = timedelta(days=1)


def closing_of_next_open_day(hours: Hours | None, now: datetime) -> datetime:
    """The last closing time of the first day after today on which the place opens, in UTC.

    Today is the place's own date. A period that closes at midnight, or before it opens, belongs to
    the day on which it opens. Without hours it is a day from now.
    """
    if hours is None:
        return now + WITHOUT_HOURS
    today = now.astimezone(hours.zone).date()
    for days in range(1, DAYS_LOOKED + 1):
        day = today + timedelta(days=days)
        closings = [
            datetime.combine(day + timedelta(days=int(closes <= opens)), closes, hours.zone)
            for opens, closes in hours.periods(day)
        ]
        if closings:
            return max(closing.astimezone(UTC) for closing in closings)
    return now + WITHOUT_HOURS
