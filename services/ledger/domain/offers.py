"""What places have for a line, and how much of it each gives."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from services.ledger.domain.terms import PlaceTerms

LevelId = int
# What binds no recall.
FREELY = PlaceTerms(0)


class Stand(NamedTuple):
    """One level as last seen; signed base units. One that is suspended was looked through in vain
    and has not been counted since.
    """

    level_id: LevelId
    version: int
    sellable: int
    reserved: int
    allocated: int
    is_suspended: bool = False

    @property
    def free(self) -> int:
        return self.sellable - self.reserved - self.allocated

    @property
    def short(self) -> int:
        """Holds that the location can't serve itself."""
        return min(self.reserved + self.allocated, max(0, -self.free))


# A kit has no level where none has ever stood made up.
NO_STAND = Stand(-1, 0, 0, 0, 0)


class Taken(NamedTuple):
    """Units held at one level."""

    level_id: LevelId
    location: str
    quantity: int


class Offer(NamedTuple):
    """What a place has for a line; a channel's own till isn't bound by the channel's pool."""

    stand: Stand
    location: str
    quantity: int
    is_own_till: bool
    own: int  # of the quantity, what is no kit that has still to be put together


def offer_of(
    stand: Stand,
    location: str,
    place: PlaceTerms,
    taken: Mapping[LevelId, int],
    made: Mapping[str, int],
    fenced: Mapping[LevelId, int],
) -> Offer:
    """What is free above the buffer, and of the fences; besides, kits that can be put together."""
    left = 0
    if not is_out(stand, place):
        spare = stand.free - taken.get(stand.level_id, 0)
        own = fenced.get(stand.level_id, 0)
        left = max(0, spare - place.buffer) + max(0, min(own, spare + own))
    return Offer(stand, location, left + made.get(location, 0), place.is_own_till, left)


def is_out(stand: Stand, place: PlaceTerms) -> bool:
    """Does the place offer nothing of its own, because the goods were looked for there in vain?"""
    return stand.is_suspended and not place.is_own_till and place is not FREELY


def bound(offer: Offer, headroom: int | None) -> int:
    """What the channel's pool lets a place give; `headroom` None binds nobody."""
    return offer.quantity if headroom is None or offer.is_own_till else headroom


def split(offers: Sequence[Offer], quantity: int, headroom: int | None) -> tuple[Taken, ...]:
    """So much of each place in their order, until there is enough."""
    found: list[Taken] = []
    for offer in offers:
        units = min(quantity, offer.quantity, bound(offer, headroom))
        if units:
            found.append(Taken(offer.stand.level_id, offer.location, units))
            quantity -= units
            if headroom is not None and not offer.is_own_till:
                headroom -= units
    return tuple(found)


def best(offers: Sequence[Offer], headroom: int | None) -> tuple[Taken, ...]:
    """The place that comes closest, the first of equals; its quantity is short of the line's."""
    found: Taken | None = None
    for offer in offers:
        units = min(offer.quantity, bound(offer, headroom))
        if units and (found is None or units > found.quantity):
            found = Taken(offer.stand.level_id, offer.location, units)
    return () if found is None else (found,)
