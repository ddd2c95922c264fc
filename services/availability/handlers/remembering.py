"""What a worker remembers of its own commits: rows as it left them, and the database's time."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from services.availability.repository.stock import Row
from shared.runtime.clock import Clock

LEVELS_MAX = 100_000


class RowMemory:
    """Rows as this worker's last commit left them, the latest used last; bounded by their levels.

    Others may have changed them since: whoever decides on one compares its version when he writes.
    """

    def __init__(self, clock: Clock, *, levels_max: int = LEVELS_MAX) -> None:
        self._clock = clock
        self._levels_max = levels_max
        self._rows: dict[str, Row] = {}
        self._sizes: dict[str, int] = {}
        self._size = 0
        self._told_at: tuple[datetime, float] | None = None

    def now(self) -> datetime | None:
        """The database's time by our clock, never ahead of it; None before it was first told."""
        if self._told_at is None:
            return None
        at, then = self._told_at
        return at + timedelta(seconds=self._clock.monotonic() - then)

    def hear(self, at: datetime) -> None:
        """A transaction that has just ended began at this time."""
        self._told_at = at, self._clock.monotonic()

    def take(self, skus: Collection[str]) -> dict[str, Row] | None:
        """The rows of all these SKUs, or None. They are forgotten: who commits them brings them
        back, and what was tried on them in vain is gone with them.
        """
        if not all(sku in self._rows for sku in skus):
            return None
        return {sku: self._forget(sku) for sku in skus}

    def keep(self, rows: Iterable[Row]) -> None:
        """These rows were committed as they are here."""
        for row in rows:
            sku = row.stock.sku
            if sku in self._rows:
                self._forget(sku)
            self._rows[sku], self._sizes[sku] = row, len(row.stock.levels) + 1
            self._size += self._sizes[sku]
        while self._size > self._levels_max:
            self._forget(next(iter(self._rows)))

    def _forget(self, sku: str) -> Row:
        self._size -= self._sizes.pop(sku)
        return self._rows.pop(sku)
