"""Order lines of kits: kits that stand made up and kits of parts, decided together, place by place.

A kit's line claims kits that stand made up; every part has a line of its own (`part_of`) for the
kits that are put together. So what a part owes stands in the books under the part's own SKU, and
is no longer offered to anybody. At each candidate location kits that stand made up go first, then
whole kits of what the parts there make up. Kits that nothing makes up are booked on their parts at
the first candidate: what is there of them is kept for the line, the rest is short.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from services.ledger.domain.lines import (
    Command,
    LevelId,
    Line,
    Shelves,
    book,
    give_back,
    release_down_to,
    stays,
    want,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part as a command names it; `candidates` are levels of its SKU, in the command's order."""

    sku_id: int
    per_kit: int
    candidates: tuple[LevelId, ...]

    def __post_init__(self) -> None:
        assert self.per_kit > 0, self


def want_kit(
    kit: Line, parts: Sequence[Line], command: Command, made_of: Sequence[Part]
) -> list[Line]:
    """Take a command over into the line and those of its parts, which are returned in that order.

    `made_of` is empty where the line's SKU is no kit: then what it had of parts is given up.
    Shipments that came before any command were noted under the SKUs that they named.
    """
    told = want(kit, command)
    if told is kit:
        return [kit, *parts]
    named = {part.sku_id: part for part in made_of}
    is_first = kit.revision < 0
    if is_first and kit.sku_id in named:
        parts = [_move_gone(kit, part) for part in parts]
        told = replace(told, shipped=0, picked=0)
    elif is_first and not made_of:
        told = replace(
            told,
            shipped=told.shipped + sum(part.shipped for part in parts),
            picked=told.picked + sum(part.picked for part in parts),
        )
        parts = [replace(part, shipped=0, picked=0) for part in parts]
    return [
        replace(told, is_kit=told.is_kit or bool(parts), in_parts=min(told.in_parts, told.wanted)),
        *(_take_over(part, told, named.get(part.sku_id or 0)) for part in parts),
    ]


def _move_gone(kit: Line, part: Line) -> Line:
    if part.sku_id != kit.sku_id:
        return part
    return replace(part, shipped=part.shipped + kit.shipped, picked=part.picked + kit.picked)


def _take_over(line: Line, kit: Line, part: Part | None) -> Line:
    return replace(
        line,
        revision=kit.revision,
        candidates=part.candidates if part else (),
        accepted_at=kit.accepted_at,
        requested_for=kit.requested_for,
        held_from=kit.held_from,
        kit_sku_id=kit.sku_id,
        per_kit=part.per_kit if part else 0,
        wanted=line.wanted if part else 0,
    )


def book_together(groups: Sequence[Sequence[Line]], free: Shelves, now: datetime) -> list[Line]:
    """Book every group in the order given, on what is free at each level.

    A group is a line, or a kit's line with those of its parts. As with lines alone: what serves
    its group stays, what doesn't is given back before any is decided.
    """
    left = Shelves(free, free.suspended)
    apportioned = [_apportion(group) for group in groups]
    staying = [all(stays(line, now) for line in group) for group in apportioned]
    for group, is_staying in zip(apportioned, staying, strict=True):
        for line in () if is_staying else group:
            give_back(left, line.booked, {})
    booked: list[Line] = []
    for group, is_staying in zip(apportioned, staying, strict=True):
        after = _keep(group, left) if is_staying else _book_anew(group, left, now)
        booked += after
    return booked


def _keep(group: Sequence[Line], left: Shelves) -> list[Line]:
    after = [release_down_to(line, line.claimed, first=None) for line in group]
    for line, kept in zip(group, after, strict=True):
        give_back(left, line.booked, kept.booked)
    return after


def _book_anew(group: Sequence[Line], left: Shelves, now: datetime) -> list[Line]:
    kit, *parts = group
    if not _parts_in_use(parts):
        after = [book(line, left, now) for line in group]
    elif not kit.is_due(now) or not kit.candidates:
        after = [book(line, left, now) for line in _all_in_parts(kit, parts)]
    else:
        after = _Booking.of(kit, parts, left).booked()
    for line in after:
        give_back(left, {}, line.booked)
    return after


def _parts_in_use(parts: Iterable[Line]) -> list[Line]:
    return [part for part in parts if part.per_kit]


def _apportion(group: Sequence[Line]) -> list[Line]:
    """The group with its kits divided as they are booked now: made up, and of parts.

    Kits that are wanted no more are given up in parts first; a kit of which a part has gone is
    finished in parts.
    """
    kit, *parts = group
    if not _parts_in_use(parts):
        return [replace(kit, in_parts=0), *parts] if kit.in_parts else list(group)
    open_, begun = _open(kit), _begun(kit, parts)
    return _with_in_parts(kit, parts, open_ - min(sum(kit.booked.values()), open_ - begun))


def _all_in_parts(kit: Line, parts: Sequence[Line]) -> list[Line]:
    bare = replace(kit, booked={}, short=0, unsourced=0, dated=0)
    return _with_in_parts(bare, parts, _open(kit))


def _with_in_parts(kit: Line, parts: Sequence[Line], in_parts: int) -> list[Line]:
    return [
        replace(kit, in_parts=in_parts),
        *(replace(part, wanted=part.per_kit * in_parts) for part in parts),
    ]


def _open(kit: Line) -> int:
    """Kits that have not gone as kits."""
    return max(0, kit.wanted - kit.gone)


def _begun(kit: Line, parts: Iterable[Line]) -> int:
    """Kits of which some part has gone."""
    begun = max((-(-part.gone // part.per_kit) for part in _parts_in_use(parts)), default=0)
    return min(_open(kit), begun)


@dataclass(slots=True)
class _Booking:
    """A kit's line on its way to being booked at its candidates; nothing of it is booked yet."""

    kit: Line
    parts: Sequence[Line]
    left: Shelves
    fresh: int  # kits of which nothing has gone
    rests: dict[int, int]  # units that finish kits that are begun, by the part's line
    made: dict[LevelId, int] = field(default_factory=dict)
    taken: dict[int, dict[LevelId, int]] = field(default_factory=dict)

    @classmethod
    def of(cls, kit: Line, parts: Sequence[Line], left: Shelves) -> "_Booking":
        begun = _begun(kit, parts)
        used = _parts_in_use(parts)
        assert all(len(part.candidates) == len(kit.candidates) for part in used), (kit, used)
        rests = {p.order_line_id: max(0, p.per_kit * begun - p.gone) for p in used}
        return cls(kit=kit, parts=parts, left=left, fresh=_open(kit) - begun, rests=rests)

    def booked(self) -> list[Line]:
        """The lines, at the first place that serves all of it, else at several where allowed."""
        places = range(len(self.kit.candidates))
        whole = next((place for place in places if self._serves(place)), None)
        if whole is not None:
            self._take(whole)
        else:
            for place in places if self.kit.may_split else (0,):
                self._take(place)
        in_parts = _open(self.kit) - sum(self.made.values())
        lines = _with_in_parts(self.kit, self.parts, in_parts)
        made_up = replace(lines[0], booked=dict(self.made), short=0, unsourced=0, dated=0)
        return [made_up, *(self._part(part) for part in lines[1:])]

    def _serves(self, place: int) -> bool:
        kits = self.fresh - self._made_up(place)
        return all(
            self._spare(part, place) >= self.rests[part.order_line_id] + part.per_kit * kits
            for part in _parts_in_use(self.parts)
        )

    def _made_up(self, place: int) -> int:
        return min(self.fresh, self.left.spare(self.kit.candidates[place]))

    def _spare(self, part: Line, place: int) -> int:
        return self.left.spare(part.candidates[place])

    def _take(self, place: int) -> None:
        """What this place has: kits made up, the rest of kits that are begun, whole kits."""
        used = _parts_in_use(self.parts)
        if made := self._made_up(place):
            self.made[self.kit.candidates[place]] = made
            self.fresh -= made
        rests = {
            p.order_line_id: min(self.rests[p.order_line_id], self._spare(p, place)) for p in used
        }
        kits = min((self._spare(p, place) - rests[p.order_line_id]) // p.per_kit for p in used)
        kits = min(self.fresh, kits)
        self.fresh -= kits
        for part in used:
            number = part.order_line_id
            self.rests[number] -= rests[number]
            if units := rests[number] + kits * part.per_kit:
                self.taken.setdefault(number, {})[part.candidates[place]] = units

    def _part(self, part: Line) -> Line:
        """A part's line with what was taken; what is missing is booked at the first candidate, and
        short as far as it isn't there.
        """
        bare = replace(part, booked={}, short=0, unsourced=0, dated=0)
        if not part.per_kit:
            return bare
        booked = dict(self.taken.get(part.order_line_id, {}))
        missing = self.rests[part.order_line_id] + part.per_kit * self.fresh
        if not missing:
            return replace(bare, booked=booked)
        first = part.candidates[0]
        there = max(0, self._spare(part, 0) - booked.get(first, 0))
        booked[first] = booked.get(first, 0) + missing
        return replace(bare, booked=booked, short=max(0, missing - there))
