"""Order lines: what a line claims, and at which of its candidate locations it is booked.

An accepted order is a fact: its demand is always in the books. `claimed = max(0, wanted −
shipped − picked)` is booked at the first candidate that can serve it whole, else split where that
is allowed, else at the first candidate with the missing quantity as `short`; without any candidate
it is `unsourced`. Before its time has come (`held_from`) a line holds nothing: what it claims is
`dated`.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto

LevelId = int


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One order line as the ledger holds it; quantities ≥ 0, `revision` −1 before any command.

    A kit's line (`is_kit`) claims the kits that stand made up; `in_parts` of its wanted kits are
    claimed by the lines of its parts, which have `per_kit` units in one kit (`domain/kits.py`).
    """

    order_line_id: int
    wanted: int = 0
    shipped: int = 0
    revision: int = -1
    may_split: bool = False
    candidates: tuple[LevelId, ...] = ()
    booked: Mapping[LevelId, int] = field(default_factory=dict)
    short: int = 0
    unsourced: int = 0
    dated: int = 0
    accepted_at: datetime | None = None
    requested_for: datetime | None = None
    held_from: datetime | None = None
    sku_id: int | None = None
    is_kit: bool = False
    in_parts: int = 0
    part_of: int | None = None
    per_kit: int = 0
    kit_sku_id: int | None = None
    picked: int = 0

    def __post_init__(self) -> None:
        assert self.wanted >= 0, self
        assert min(self.shipped, self.picked) >= 0, self
        assert all(quantity > 0 for quantity in self.booked.values()), self
        assert 0 <= self.short <= sum(self.booked.values()), self

    @property
    def claimed(self) -> int:
        """Units that are accepted and still to be taken off a shelf."""
        return max(0, self.wanted - self.gone - self.in_parts)

    @property
    def gone(self) -> int:
        """Units that have left the shelf for this line: shipped, or picked for it."""
        return self.shipped + self.picked

    def is_due(self, now: datetime) -> bool:
        """May the line hold units? Its time has come, or it never had one."""
        return self.held_from is None or self.held_from <= now

    @property
    def turn(self) -> tuple[datetime, int]:
        """Whose turn it is: the line that has waited longest. One for later waits from its time
        on: whoever came before that wanted the units earlier.
        """
        assert self.accepted_at is not None, "the database gives every line a moment"
        begins = max(self.accepted_at, self.held_from or self.accepted_at)
        return begins, self.order_line_id


class Took(Enum):
    """How a movement takes units for a line."""

    PICKED = auto()
    SHIPPED = auto()
    SHIPPED_OF_PICKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """The wanted state of a line. Candidates are levels of its SKU, best first."""

    revision: int
    wanted: int
    candidates: tuple[LevelId, ...]
    may_split: bool
    ordered_at: datetime | None = None
    requested_for: datetime | None = None
    held_from: datetime | None = None
    sku_id: int | None = None


class Shelves(dict[LevelId, int]):
    """Signed units that are free at each level while lines are decided.

    Nobody counts on a suspended level: the goods were looked for there in vain, and have not been
    counted since.
    """

    def __init__(self, free: Mapping[LevelId, int], suspended: Collection[LevelId] = ()) -> None:
        super().__init__(free)
        self.suspended = frozenset(suspended)

    def spare(self, level: LevelId) -> int:
        """What a line may be booked on."""
        return 0 if level in self.suspended else max(0, self.get(level, 0))


def want(line: Line, command: Command) -> Line:
    """Take over a command; one whose revision isn't above the line's own changes nothing.

    The same revision once more may name candidates that were unknown the first time.
    """
    more = set(command.candidates) > set(line.candidates)
    if command.revision < line.revision or (command.revision == line.revision and not more):
        return line
    return replace(
        line,
        revision=command.revision,
        wanted=command.wanted,
        candidates=command.candidates,
        may_split=command.may_split,
        accepted_at=command.ordered_at or line.accepted_at,
        requested_for=command.requested_for,
        held_from=command.held_from,
        sku_id=command.sku_id or line.sku_id,
    )


def consume(line: Line, took: Took, quantity: int, level: LevelId | None) -> Line:
    """Units that have gone for the line use up its allocation wherever it was, that of their own
    location first; what ships from among picked units has used it up before.

    Below 0: what was told had not happened. Units come off at most as far as they were counted.
    """
    picked, shipped = line.picked, line.shipped
    if took is Took.PICKED:
        picked = max(0, picked + quantity)
    else:
        shipped = max(0, shipped + quantity)
        if took is Took.SHIPPED_OF_PICKED:
            picked = max(0, picked - quantity)
    after = replace(line, picked=picked, shipped=shipped)
    return release_down_to(after, after.claimed, first=level)


def book_all(lines: Sequence[Line], free: Shelves, now: datetime) -> list[Line]:
    """Book every line in the order given, oldest first, on what is free at each level.

    `free` is signed and counts the lines' present bookings as taken. A short line gives its
    booking back before any is decided: a younger line's missing units must not stand in the way
    of an older one.
    """
    left = Shelves(free, free.suspended)
    for line in lines:
        if stays(line, now):
            continue
        for level, quantity in line.booked.items():
            left[level] = left.get(level, 0) + quantity
    booked: list[Line] = []
    for line in lines:
        if stays(line, now):
            kept = release_down_to(line, line.claimed, first=None)
            give_back(left, line.booked, kept.booked)
        else:
            kept = book(line, left, now)
            give_back(left, {}, kept.booked)
        booked.append(kept)
    return booked


def booking_deltas(before: Iterable[Line], after: Iterable[Line]) -> dict[LevelId, int]:
    """By how much `allocated` changes at each level; levels that do not change are left out."""
    deltas: dict[LevelId, int] = {}
    for sign, lines in ((-1, before), (1, after)):
        for line in lines:
            for level, quantity in line.booked.items():
                deltas[level] = deltas.get(level, 0) + sign * quantity
    return {level: delta for level, delta in deltas.items() if delta}


def stays(line: Line, now: datetime) -> bool:
    """Does the booking stay? One that serves its line is not moved: someone may be picking it."""
    return (
        line.is_due(now)
        and line.short == 0
        and line.unsourced == 0
        and line.claimed <= sum(line.booked.values())
        and set(line.booked) <= set(line.candidates)
    )


def give_back(
    left: dict[LevelId, int], before: Mapping[LevelId, int], after: Mapping[LevelId, int]
) -> None:
    """Count what was booked before as free, and what is booked after as taken."""
    for level in {*before, *after}:
        left[level] = left.get(level, 0) + before.get(level, 0) - after.get(level, 0)


def book(line: Line, left: Shelves, now: datetime) -> Line:
    """The line booked on what is left, none of which it has itself.

    Suspended candidates stand behind the others from then on: what is short is owed where goods
    that come are offered, so that they are the line's.
    """
    bare, claimed = replace(line, booked={}, short=0, unsourced=0, dated=0), line.claimed
    if claimed == 0:
        return bare
    if not line.is_due(now):
        return replace(bare, dated=claimed)
    if not line.candidates:
        return replace(bare, unsourced=claimed)
    for level in line.candidates:
        if left.spare(level) >= claimed:
            return replace(bare, booked={level: claimed})
    if left.suspended:
        candidates = sorted(line.candidates, key=lambda level: level in left.suspended)
        bare = replace(bare, candidates=tuple(candidates))
    return _book_short(bare, left)


def _book_short(line: Line, left: Shelves) -> Line:
    """No candidate serves the line whole: split it where allowed; what is missing is short."""
    first = line.candidates[0]
    missing = line.claimed
    booked: dict[LevelId, int] = {}
    for level in line.candidates if line.may_split else (first,):
        taken = min(missing, left.spare(level))
        if taken:
            booked[level] = taken
            missing -= taken
    if missing:
        booked[first] = booked.get(first, 0) + missing
    return replace(line, booked=booked, short=missing, unsourced=0)


def release_down_to(line: Line, claimed: int, *, first: LevelId | None) -> Line:
    """Give up bookings beyond `claimed`: those at `first`, then the least preferred ones."""
    excess = sum(line.booked.values()) - claimed
    if excess <= 0:
        return replace(line, unsourced=min(line.unsourced, claimed), dated=min(line.dated, claimed))
    booked = dict(line.booked)
    rank = {level: place for place, level in enumerate(line.candidates)}
    by_rank = sorted(booked, key=lambda level: (level != first, -rank.get(level, len(rank))))
    for level in by_rank:
        released = min(excess, booked[level])
        booked[level] -= released
        excess -= released
    left = {level: quantity for level, quantity in booked.items() if quantity}
    return replace(
        line, booked=left, short=min(line.short, sum(left.values())), unsourced=0, dated=0
    )
