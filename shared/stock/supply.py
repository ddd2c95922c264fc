"""Supply: what a line of a supply order will still bring, and what may be promised of it."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class Why(StrEnum):
    """Why nothing can be promised of what is expected, in order of precedence."""

    ELSEWHERE = "elsewhere"
    """No place of the channel, or one that offers it nothing."""
    UNCONFIRMED = "unconfirmed"
    """The supplier has not answered."""
    UNDATED = "undated"
    OVERDUE = "overdue"
    """It should have come by now. Nobody knows when it will, until a new date is told."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SupplyLine:
    """One line of a supply order as last told; base units.

    `due` is what is to come in all: as confirmed, else as ordered. Of a transfer between our own
    places only what has been dispatched is on its way: the rest still counts where it stands.
    """

    supply_id: str
    line_id: str
    sku: str
    location: str
    due: int
    ordered: int = 0
    is_transfer: bool = False
    is_confirmed: bool = True
    dispatched: int = 0
    received: int = 0
    rejected: int = 0
    cancelled: int = 0
    expected_at: datetime | None = None

    @property
    def units(self) -> int:
        """Units that are still to come, at least 0."""
        coming = self.dispatched if self.is_transfer else self.due - self.cancelled
        return max(0, coming - self.received - self.rejected)

    def hindrance(self, now: datetime, places: Collection[str]) -> Why | None:
        """Why nothing of it can be promised at the places of a channel; None if all can."""
        if self.location not in places:
            return Why.ELSEWHERE
        if not self.is_confirmed:
            return Why.UNCONFIRMED
        if self.expected_at is None:
            return Why.UNDATED
        return Why.OVERDUE if self.expected_at <= now else None


def on_order(lines: Iterable[SupplyLine]) -> int:
    """Units open at suppliers, shipped or not; never what moves between our own places."""
    return sum(line.units for line in lines if not line.is_transfer)
