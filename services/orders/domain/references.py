"""Which record of several dated ones is meant at a moment, and what it says."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from services.orders.domain.folding import OrderState


class Dated(Protocol):
    """A record that holds from `since` (always, if None) until before `until` (for good)."""

    @property
    def since(self) -> datetime | None: ...
    @property
    def until(self) -> datetime | None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelTerms:
    """What a channel says of its orders: its pool in order, and from which state stock is held."""

    since: datetime | None = None
    until: datetime | None = None
    pool: tuple[str, ...] = ()
    holds_from: OrderState = OrderState.CONFIRMED


@dataclass(frozen=True, slots=True, kw_only=True)
class Sold:
    """What one unit of a listing is: `units` base units of a SKU, from `fulfilled_by`'s stock."""

    since: datetime | None = None
    until: datetime | None = None
    sku: str
    units: int = 1
    fulfilled_by: str = "us"

    def __post_init__(self) -> None:
        assert self.units > 0, self


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeOf:
    """What one unit of a SKU is made of: (SKU, units) of each part; nothing of what is no kit."""

    since: datetime | None = None
    until: datetime | None = None
    parts: tuple[tuple[str, int], ...] = ()


Record = TypeVar("Record", bound=Dated)


def record_at(records: Iterable[Record], moment: datetime) -> Record | None:
    """The record in force at `moment`, else the last that began before it, else the first to begin.

    Records that were taken back aren't among `records`. What has ended stays known, because facts
    arrive late; what begins later is known already, because facts may outrun its day.
    """
    known = sorted(records, key=_begins)
    begun = [record for record in known if record.since is None or record.since <= moment]
    in_force = [record for record in begun if record.until is None or moment < record.until]
    for found in (in_force, begun):
        if found:
            return found[-1]
    return known[0] if known else None


def parts_at(records: Iterable[MadeOf], moment: datetime) -> tuple[tuple[str, int], ...]:
    """The parts by the record in force at `moment`, of several the one that began last.

    Nothing before the first and after the last, as in the figure that the channel is shown.
    """
    in_force = [
        record
        for record in records
        if (record.since is None or record.since <= moment)
        and (record.until is None or moment < record.until)
    ]
    return max(in_force, key=_begins, default=MadeOf()).parts


def _begins(record: Dated) -> tuple[bool, float]:
    return record.since is not None, record.since.timestamp() if record.since else 0.0
