"""What an observation comes to beside the facts that were posted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

FIRST_LOOK = timedelta(seconds=1)
LOOKS_APART_MAX = timedelta(minutes=5)
YOUNG = timedelta(hours=48)
OLD_LOOKS_APART = timedelta(hours=6)
LOOKED_FOR = timedelta(days=30)
# What matched is looked at once more: the same fact may be posted a second time.
MATCHED_LOOK = timedelta(days=1)


class State(StrEnum):
    """How far the comparison is; `open` is nothing posted to compare with."""

    OPEN = "open"
    MATCHED = "matched"
    DIFFERING = "differing"


class Place(NamedTuple):
    """A SKU at a location, by their numbers."""

    sku: int
    location: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """`difference` is observed less posted, in units; `at` is where the posted facts are."""

    state: State
    matched_by: str | None = None
    difference: int | None = None
    posted: int | None = None
    at: Place | None = None


OPEN = Verdict(state=State.OPEN)


def judge(
    own: Place, observed: Mapping[Place, int], posted: Mapping[Place, int], matched_by: str
) -> Verdict:
    """Compare what one source observed under one key with what others posted under it.

    Units are summed: three told at once match two parcels of two and one. What concerns the
    observation's own SKU and location decides; where only other places were posted, the source
    told another place or SKU, and the sums over all places say by how many units it differs too.
    """
    assert own in observed, (own, observed)
    if not posted:
        return OPEN
    if own in posted:
        difference = observed[own] - posted[own]
        state = State.DIFFERING if difference else State.MATCHED
        return Verdict(
            state=state, matched_by=matched_by, difference=difference, posted=posted[own], at=own
        )
    nearest = min(posted, key=lambda at: (at.sku != own.sku, at.location != own.location, at))
    total = sum(posted.values())
    return Verdict(
        state=State.DIFFERING, matched_by=matched_by, at=nearest, posted=total,
        difference=sum(observed.values()) - total,
    )  # fmt: skip


def judge_count(own: Place, counted: int, book: int) -> Verdict:
    """A count that is only compared: its drift against the book as of its moment."""
    drift = counted - book
    return Verdict(
        state=State.DIFFERING if drift else State.MATCHED, matched_by="book", difference=drift,
        posted=book, at=own,
    )  # fmt: skip


def next_look(state: State, recorded_at: datetime, now: datetime) -> datetime | None:
    """When to compare again: soon while it is young, less often with age, and at last never."""
    age = now - recorded_at
    if state is State.MATCHED:
        return recorded_at + MATCHED_LOOK if age < MATCHED_LOOK else None
    if age < YOUNG:
        return now + min(max(age / 4, FIRST_LOOK), LOOKS_APART_MAX)
    return now + OLD_LOOKS_APART if age < LOOKED_FOR else None
