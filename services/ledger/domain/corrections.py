"""Corrections: of all that was told of one fact, which telling holds, and what that changes.

The highest rank holds, a cancellation above all, in whatever order they come. What a fact has
moved so far is taken back and what holds is moved instead; where only the quantity differs, the
difference is moved. The sum over all rows is what the telling that holds says.
"""

from collections.abc import Sequence
from datetime import datetime
from enum import Enum, auto
from typing import NamedTuple
from uuid import UUID

ANCHOR_TYPES = frozenset({"opening", "count"})
UNTOLD = -1


class Content(NamedTuple):
    """What a fact moves; a side with no level is an outside account. Quantities ≥ 0.

    Of an opening or a count, `quantity` is what was counted, and the account it sets is `to_…`.
    """

    type: str
    quantity: int
    from_level: int | None
    from_account: int
    to_level: int | None
    to_account: int
    occurred_at: datetime
    source_id: int
    details: str | None = None

    @property
    def is_anchor(self) -> bool:
        """Does it set its account, rather than add to it?"""
        return self.type in ANCHOR_TYPES

    @property
    def route(self) -> tuple[object, ...]:
        """Between which accounts, when, as what."""
        return (
            self.type, self.from_level, self.from_account, self.to_level, self.to_account,
            self.occurred_at,
        )  # fmt: skip

    def says(self, other: "Content") -> bool:
        """Do both move the same?"""
        return self.quantity == other.quantity and self.route == other.route

    def reversed(self) -> "Content":
        """The same the other way round."""
        return self._replace(
            from_level=self.to_level, from_account=self.to_account,
            to_level=self.from_level, to_account=self.from_account,
        )  # fmt: skip


class State(NamedTuple):
    """A fact as it stands. `entry_id` is the event id under which its content was posted."""

    fact_id: UUID
    rank: int = UNTOLD
    is_cancelled: bool = False
    content: Content | None = None
    entry_id: UUID | None = None


class Telling(NamedTuple):
    """One message about a fact: what it says now, or that it never was (`content` None)."""

    event_id: UUID
    fact_id: UUID
    rank: int
    content: Content | None


class Fate(Enum):
    """What became of a telling."""

    HOLDS = auto()
    STALE = auto()
    CONFLICT = auto()
    """As high as the one that holds, and it says something else."""


def rank_of(revision: int, *, corrects: bool) -> int:
    """Tellings of one fact in their order: by revision, then what names the one it corrects."""
    return 2 * revision + int(corrects)


def merge(states: Sequence[State]) -> State:
    """Facts that turn out to be one: the highest rank holds, a cancellation above all."""
    best = max(states, key=lambda s: (s.rank, str(s.entry_id or s.fact_id)))
    is_cancelled = any(state.is_cancelled for state in states)
    return best._replace(is_cancelled=is_cancelled, content=None if is_cancelled else best.content)


def tell(state: State, telling: Telling) -> tuple[State, Fate]:
    """The fact after one more telling."""
    if state.is_cancelled:
        return state, Fate.STALE
    if telling.content is None:
        return state._replace(is_cancelled=True, content=None), Fate.HOLDS
    if telling.rank > state.rank:
        return state._replace(rank=telling.rank, content=telling.content), Fate.HOLDS
    if (
        telling.rank == state.rank
        and state.content is not None
        and not telling.content.says(state.content)
    ):
        return state, Fate.CONFLICT
    return state, Fate.STALE


def compensations(before: Content | None, after: Content | None) -> list[Content]:
    """The rows that lead from one content to the other, neither of which sets its account."""
    if before is None or after is None:
        return [one for one in (before and before.reversed(), after) if one is not None]
    if before.route != after.route:
        return [before.reversed(), after]
    more = after.quantity - before.quantity
    if more == 0:
        return []
    moved = after._replace(quantity=abs(more))
    return [moved if more > 0 else moved.reversed()]
