"""What a kit's order line comes to in whole kits, from its own booking and those of its parts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

PlaceT = TypeVar("PlaceT")


@dataclass(frozen=True, slots=True, kw_only=True)
class Booked(Generic[PlaceT]):
    """One line with what is booked for it, by place; `short` units of it are at its first one."""

    wanted: int
    shipped: int
    booked: Mapping[PlaceT, int]
    short: int = 0
    unsourced: int = 0
    dated: int = 0
    in_parts: int = 0
    per_kit: int = 0
    picked: int = 0
    first: PlaceT | None = None

    def served(self) -> dict[PlaceT, int]:
        """What is really set aside, by place."""
        found = dict(self.booked)
        if self.short and self.first is not None:
            found[self.first] -= self.short
        return {place: units for place, units in found.items() if units > 0}


def in_kits(kit: Booked[PlaceT], parts: Sequence[Booked[PlaceT]]) -> Booked[PlaceT]:
    """The outcome of a kit's line, in whole kits: those made up and those of its parts.

    `booked` are kits that are served, and `short` ones are not among them.
    """
    used = [part for part in parts if part.per_kit]
    if not used:
        return replace(kit, booked=kit.served())
    done = min(part.shipped // part.per_kit for part in used)
    whole = min(
        (part.shipped + part.picked + sum(part.served().values())) // part.per_kit for part in used
    )
    done, whole = min(done, kit.in_parts), min(whole, kit.in_parts)
    missing = kit.in_parts - whole
    is_dated = any(part.dated for part in used)
    is_unsourced = any(part.unsourced for part in used)
    booked = _places(kit, used, whole - done)
    lying = sum(booked.values()) - sum(kit.served().values())
    return replace(
        kit,
        shipped=kit.shipped + done,
        picked=kit.picked + whole - done - lying,
        booked=booked,
        short=0 if is_dated or is_unsourced else missing,
        unsourced=missing if is_unsourced else 0,
        dated=missing if is_dated else 0,
    )


def _places(kit: Booked[PlaceT], parts: Sequence[Booked[PlaceT]], kits: int) -> dict[PlaceT, int]:
    """Where `kits` of parts lie: a kit that is begun lies where any of its parts still does."""
    found = kit.served()
    served = [(part.per_kit, part.served()) for part in parts]
    for place in dict.fromkeys(place for _, places in served for place in places):
        here = min(kits, max(-(-places.get(place, 0) // each) for each, places in served))
        if here:
            found[place] = found.get(place, 0) + here
            kits -= here
    return found
