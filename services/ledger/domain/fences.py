"""Ring-fences: units held for one beneficiary, which takes them before any others.

They count for everyone as reserved; what is left of one is there for its beneficiary alone.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

LevelId = int
# What units are asked for that come out of a fence; another fence is not filled from the first.
TAKING = frozenset({"cart", "order", "in_store"})


class Whom(NamedTuple):
    """Whom units are for; of a fence, nothing named means nobody in particular."""

    channel: str | None = None
    customer_ref: str | None = None
    order_id: str | None = None

    def may_take_for(self, other: "Whom") -> bool:
        """Is `other` all that this beneficiary names?"""
        named = [(mine, its) for mine, its in zip(self, other, strict=True) if mine is not None]
        return bool(named) and all(mine == its for mine, its in named)


NOBODY = Whom()


class Fence(NamedTuple):
    """A part of a ring-fence with `left` > 0 units at a level, until `until`."""

    number: int
    hold_id: str
    part: int
    level_id: LevelId
    left: int
    until: datetime | None
    whom: Whom

    @property
    def key(self) -> int:
        """What counts its units beside those of levels, whose ids are positive."""
        return -self.number


class Use(NamedTuple):
    """Units of a fence that are taken."""

    fence: Fence
    quantity: int


def open_to(
    whom: Whom, fences: Sequence[Fence], taken: Mapping[int, int], now: datetime
) -> list[Fence]:
    """The fences that `whom` may take from, with what is left once `taken` (by `key`) is gone."""
    found = [
        fence._replace(left=fence.left - taken.get(fence.key, 0))
        for fence in fences
        if fence.whom.may_take_for(whom) and (fence.until is None or fence.until > now)
    ]
    return [fence for fence in found if fence.left > 0]


def left_at(fences: Sequence[Fence]) -> dict[LevelId, int]:
    """Units by level."""
    found: dict[LevelId, int] = {}
    for fence in fences:
        found[fence.level_id] = found.get(fence.level_id, 0) + fence.left
    return found


def use(fences: Sequence[Fence], level_id: LevelId, quantity: int) -> list[Use]:
    """Up to `quantity` units at a level, of the fences in their order."""
    found: list[Use] = []
    for fence in fences:
        if fence.level_id == level_id and (units := min(quantity, fence.left)) > 0:
            found.append(Use(fence, units))
            quantity -= units
    return found
