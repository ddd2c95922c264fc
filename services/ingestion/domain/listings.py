"""Which SKU a shop's code stands for: dated records, the one in force when the order was placed."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A shop's code from `from_at` until before `until_at`: `units` base units of a SKU."""

    from_at: datetime
    until_at: datetime | None
    sku: str
    units: int
    fulfilled_by: str

    def __post_init__(self) -> None:
        assert self.units > 0, self

    def holds_at(self, moment: datetime) -> bool:
        """Whether the record is in force at `moment`."""
        return self.from_at <= moment and (self.until_at is None or moment < self.until_at)


def in_force(records: Sequence[Listing], placed_at: datetime | None) -> Listing | None:
    """The record that held when the order was placed, else the one that began last.

    A shop may sell before we are told under which SKU: any record is better than an order that is
    in no book.
    """
    ordered = sorted(records, key=lambda record: record.from_at)
    if placed_at is not None:
        for record in reversed(ordered):
            if record.holds_at(placed_at):
                return record
    return ordered[-1] if ordered else None
