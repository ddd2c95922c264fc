"""Openings and counts: an account set to a quantity as of a moment, whatever comes late.

The level after an anchor does not depend on the order in which facts arrive. An anchor's variance
is taken against the book just before its moment. A movement dated before an anchor that arrives
after it restates that anchor's variance, so that the level which was counted stays; the sum of
all entries is the level at any time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

# The id of an entry that follows from two others: (anchor, cause, moment of the anchor).
Derive = Callable[[UUID, UUID, datetime], UUID]


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """An account's quantity as of a moment, by an `opening` or a `count`; quantity ≥ 0."""

    event_id: UUID
    type: str
    moment: datetime
    quantity: int

    def __post_init__(self) -> None:
        assert self.type in ("opening", "count"), self.type
        assert self.quantity >= 0, self.quantity
        assert self.moment.tzinfo is not None, self.moment


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What the book says around a moment: just before it, at it, and the first anchor after it."""

    book: int
    at: Anchor | None
    following: Anchor | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A movement between the account and `adjustment`: `delta` > 0 comes in, < 0 goes out."""

    event_id: UUID
    type: str
    delta: int
    occurred_at: datetime
    restates: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What an anchor does: entries, the anchor that stands at its moment, the level's change."""

    entries: tuple[Entry, ...]
    stands: Anchor
    level_delta: int

    def __post_init__(self) -> None:
        assert self.level_delta == sum(entry.delta for entry in self.entries), self


@dataclass(frozen=True, slots=True, kw_only=True)
class Removal:
    """What taking an anchor away does; `stands` is what of its moment is left, if anything."""

    entries: tuple[Entry, ...]
    stands: Anchor | None
    level_delta: int


def set_anchor(new: Anchor, standing: Standing, derive: Derive) -> Setting:
    """Set the account to `new.quantity` as of its moment.

    Two openings of one moment add up (lots opened line by line). Of an opening and a count, the
    count stands; of two counts of one moment, the one with the higher id, in whatever order they
    arrive.
    """
    stands, variance = _weigh(new, standing)
    entries = [_own_entry(new, standing, variance)]
    if new.type == "opening" and (rest := variance - entries[0].delta):
        # what the book held before an opening is recorded without effect
        entries.append(_derived(new, new, rest, derive))
    if standing.following is not None and variance:
        entries.append(_derived(standing.following, new, -variance, derive))
        variance = 0
    return Setting(entries=tuple(entries), stands=stands, level_delta=variance)


def absorb_late(
    cause: UUID, delta: int, following: Anchor | None, derive: Derive
) -> tuple[Entry | None, int]:
    """What a late movement of `delta` does: the entry that restates the anchor after it, and the
    change of the level, of which one is always nothing.
    """
    if following is None or delta == 0:
        return None, delta
    entry = Entry(
        event_id=derive(following.event_id, cause, following.moment),
        type="count",
        delta=-delta,
        occurred_at=following.moment,
        restates=following.event_id,
    )
    return entry, 0


def remove_anchor(
    entry_id: UUID, gone: Anchor, standing: Standing, rest: Sequence[Anchor], effect: int,
    derive: Derive,
) -> Removal:  # fmt: skip
    """Take an anchor away that was never true; `effect` is what all anchors of its moment have done
    to the account so far, with what restated them, and `rest` are the others of that moment.

    What stands is what would stand if it had never come; an anchor after it keeps its quantity.
    """
    stands = _strongest(rest)
    if standing.at is None:
        delta = 0
    elif stands is not None:
        delta = stands.quantity - standing.at.quantity
    else:
        delta = -effect
    entry = Entry(
        event_id=entry_id, type=gone.type, delta=delta, occurred_at=gone.moment,
        restates=gone.event_id,
    )  # fmt: skip
    if standing.following is None or delta == 0:
        return Removal(entries=(entry,), stands=stands, level_delta=delta)
    following = standing.following
    kept = Entry(
        event_id=derive(following.event_id, entry_id, following.moment), type=following.type,
        delta=-delta, occurred_at=following.moment, restates=following.event_id,
    )  # fmt: skip
    return Removal(entries=(entry, kept), stands=stands, level_delta=0)


def _strongest(anchors: Sequence[Anchor]) -> Anchor | None:
    """What stands of several anchors of one moment."""
    found: Anchor | None = None
    for anchor in anchors:
        if found is None:
            found = anchor
        elif found.type == anchor.type == "opening":
            found = _both(found, anchor)
        else:
            found = max(found, anchor, key=_rank)
    return found


def _weigh(new: Anchor, standing: Standing) -> tuple[Anchor, int]:
    """The anchor that stands at the moment from now on, and by how much the account varies."""
    at = standing.at
    if at is None:
        return new, new.quantity - standing.book
    if new.type == at.type == "opening":
        return _both(new, at), new.quantity
    if _rank(new) > _rank(at):
        return new, new.quantity - at.quantity
    return at, 0


def _both(one: Anchor, other: Anchor) -> Anchor:
    """Openings of one moment add up."""
    return Anchor(
        event_id=max(one.event_id, other.event_id),
        type="opening",
        moment=one.moment,
        quantity=one.quantity + other.quantity,
    )


def _rank(anchor: Anchor) -> tuple[bool, UUID]:
    return anchor.type == "count", anchor.event_id


def _own_entry(new: Anchor, standing: Standing, variance: int) -> Entry:
    """The row that carries the event's own id: an opening brings its quantity, a count varies."""
    brings = new.type == "opening" and (standing.at is None or standing.at.type == "opening")
    return Entry(
        event_id=new.event_id,
        type=new.type,
        delta=new.quantity if brings else variance,
        occurred_at=new.moment,
    )


def _derived(anchor: Anchor, cause: Anchor, delta: int, derive: Derive) -> Entry:
    return Entry(
        event_id=derive(anchor.event_id, cause.event_id, anchor.moment),
        type=anchor.type,
        delta=delta,
        occurred_at=anchor.moment,
        restates=anchor.event_id,
    )
