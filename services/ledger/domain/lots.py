"""Lots on a shelf: what is left of each, when it expires, and what may no longer be promised.

First expired, first out: where a movement doesn't say which lot it took, it took the one that
expires first. So what is left on a shelf is what expires last.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import NamedTuple

ONE_DAY = timedelta(days=1)


class Lot(NamedTuple):
    """Units of one lot; a lot without a code is what nobody has named. Usable through its day."""

    code: str | None
    expires_on: date | None
    units: int

    def is_expired(self, today: date) -> bool:
        """May it no longer be sold?"""
        return self.expires_on is not None and self.expires_on < today

    def is_short_dated(self, today: date, days: int) -> bool:
        """Does it expire within so many days? One that has expired is not counted here."""
        if self.expires_on is None or self.is_expired(today):
            return False
        return self.expires_on < today + timedelta(days=days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """What is on a shelf, the first to go first."""

    lots: Sequence[Lot]

    def expired(self, today: date) -> list[Lot]:
        """Lots that have expired, the first first."""
        return [lot for lot in self.lots if lot.is_expired(today)]

    def short_dated(self, today: date, days: int) -> int:
        """Units that expire within so many days."""
        return sum(lot.units for lot in self.lots if lot.is_short_dated(today, days))

    @property
    def expires(self) -> bool:
        """Does anything on it ever expire?"""
        return any(lot.expires_on is not None for lot in self.lots)


def on_shelf(named: Iterable[Lot], sellable: int) -> Shelf:
    """What is left of the lots of which movements named so many units in, less out: `sellable`
    units in all. Beyond what was named, units are of no lot that we know, and go last.
    """
    left = max(0, sellable)
    found: list[Lot] = []
    for lot in sorted(named, key=_last_first, reverse=True):
        units = min(left, lot.units)
        if units > 0:
            found.append(lot._replace(units=units))
            left -= units
    found.reverse()
    if left:
        found.append(Lot(None, None, left))
    return Shelf(lots=found)


def _last_first(lot: Lot) -> tuple[date, str]:
    return lot.expires_on or date.max, lot.code or ""
