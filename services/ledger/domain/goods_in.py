"""Goods-in under control: what was to come, what came, and how the two compare."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import NamedTuple

from shared.stock.supply import SupplyLine


class GoodsInState(StrEnum):
    """How what has come compares with what was to come."""

    EXPECTED = "expected"
    OVERDUE = "overdue"
    PARTIAL = "partial"
    COMPLETE = "complete"
    SHORT = "short"
    """The order is over, and not all has come."""
    OVER = "over"
    UNANNOUNCED = "unannounced"
    """Goods have come under a line that nobody has told of."""


DEVIATING = frozenset(
    {GoodsInState.OVERDUE, GoodsInState.SHORT, GoodsInState.OVER, GoodsInState.UNANNOUNCED}
)


class Came(NamedTuple):
    """What movements say of a line, in base units: taken in, and of that damaged or sent back."""

    received: int = 0
    damaged: int = 0
    sent_back: int = 0
    last_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GoodsIn:
    """A line of a supply order beside what has come of it."""

    line: SupplyLine
    came: Came
    state: GoodsInState
    order_state: str | None
    type: str | None
    supplier_id: str | None

    @classmethod
    def unannounced(
        cls, supply_id: str, line_id: str, sku: str, location: str, came: Came
    ) -> "GoodsIn":
        """Goods that came under a line that nobody has told of."""
        line = SupplyLine(
            supply_id=supply_id, line_id=line_id, sku=sku, location=location, due=0, ordered=0
        )
        return cls(
            line=line, came=came, state=GoodsInState.UNANNOUNCED, order_state=None, type=None,
            supplier_id=None,
        )  # fmt: skip

    @property
    def missing(self) -> int:
        """Units that were to come and have neither come nor been rejected; below 0: too many."""
        return due_of(self.line) - self.came.received - self.line.rejected

    @property
    def is_deviating(self) -> bool:
        """Must somebody look at it?"""
        return self.state in DEVIATING or self.is_told_otherwise

    @property
    def is_told_otherwise(self) -> bool:
        """Does the order tell of more or fewer units received than movements do?"""
        return self.line.received not in (0, self.came.received)


def due_of(line: SupplyLine) -> int:
    """Units that are to come in all, ≥ 0: of a transfer what was dispatched."""
    return line.dispatched if line.is_transfer else max(0, line.due - line.cancelled)


def state_of(line: SupplyLine, came: Came, now: datetime, *, is_open: bool) -> GoodsInState:
    """How a line stands. What is rejected at the dock has come, and was not taken in."""
    arrived = came.received + line.rejected
    missing = due_of(line) - arrived
    if missing < 0:
        return GoodsInState.OVER
    if missing == 0 and (arrived or not is_open):
        return GoodsInState.COMPLETE
    if not is_open:
        return GoodsInState.SHORT
    if line.expected_at is not None and line.expected_at < now:
        return GoodsInState.OVERDUE
    return GoodsInState.PARTIAL if arrived else GoodsInState.EXPECTED
