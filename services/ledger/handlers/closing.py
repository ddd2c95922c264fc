"""Opening hours as requests need them: remembered, and read again when reference data change."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta

from services.ledger.domain.closing_time import closing_of_next_open_day
from services.ledger.domain.silence import Hours
from services.ledger.handlers.silencing import hours_of
from services.ledger.repository import terms
from shared.postgres.connecting import Pool

# Records begin and end by time too: what was read is right for the day of most of them.
KEPT = timedelta(minutes=1)


class OpeningHours:
    """The opening hours of every location that has a calendar."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._hours: Mapping[str, Hours | None] = {}
        self._version: int | None = None
        self._read_at: datetime | None = None

    async def end_at(self, locations: Collection[str], now: datetime) -> datetime:
        """When the last of these places closes on its next open day."""
        async with self._pool.acquire(timeout=5) as connection:
            version = await terms.terms_version(connection)
            is_old = self._read_at is None or now - self._read_at >= KEPT
            if is_old or version != self._version:
                self._version, records = await terms.shared_records(connection)
                self._hours, self._read_at = hours_of(records, now), now
        assert locations, "only who names places asks for their closing time"
        return max(closing_of_next_open_day(self._hours.get(name), now) for name in locations)
