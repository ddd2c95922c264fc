"""Requests to hold units, what they are decided on, and what became of them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.fences import NOBODY, Fence, Use, Whom
from services.ledger.domain.limits import Had
from services.ledger.domain.offers import Stand, Taken
from services.ledger.domain.refusals import Refusal
from services.ledger.domain.terms import MadeOf, SkuFacts
from services.ledger.domain.waiting import Outlook


@dataclass(frozen=True, slots=True, kw_only=True)
class SkuStock:
    """One SKU as last seen: its levels by location, and accepted units that have no place."""

    sku_id: int
    facts: SkuFacts
    levels: Mapping[str, Stand]
    unsourced: int = 0
    fences: tuple[Fence, ...] = ()
    had: Mapping[str, tuple[Had, ...]] = field(default_factory=dict)
    """Read where a limit asks what customers have of the SKU, by customer."""
    outlook: Outlook | None = None
    """Read where a request may wait for what is still to come."""
    owes: bool = field(init=False)
    """Is anything accepted that isn't served from where it is booked?"""

    def __post_init__(self) -> None:
        owes = self.unsourced > 0 or any(stand.free < 0 for stand in self.levels.values())
        object.__setattr__(self, "owes", owes)


class Wish(NamedTuple):
    """One line: `quantity` > 0 at one of `locations`, best first, or from the channel's pool.

    A tuple, like `Reserve`, since there are tens of thousands of them a second.
    """

    sku: str
    quantity: int
    locations: tuple[str, ...] = ()
    may_split: bool = True


class Reserve(NamedTuple):
    """A request to hold units. `digest` tells two requests under one id apart."""

    hold_id: str
    digest: bytes
    purpose: str
    wishes: tuple[Wish, ...]
    channel: str | None = None
    method: str | None = None
    beneficiary: str | None = None  # as it is recorded
    whom: Whom = NOBODY  # whose fences it may take from
    until: datetime | None = None
    takes_what_there_is: bool = False
    may_wait: bool = False


class LineOutcome(NamedTuple):
    """What one line holds, and what of it was refused.

    A kit's line holds kits that stand made up and units of the parts of `made_of`: `skus` names the
    SKU of each that is taken. It is empty where all are of the line's own. `uses` are those of the
    units that a fence has left, and that its beneficiary takes. `waiting` are the units of the last
    one taken where these are still to come.
    """

    taken: tuple[Taken, ...]
    refusal: Refusal | None
    made_of: MadeOf = ()
    skus: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()
    waiting: int = 0
    promised_at: datetime | None = None

    def in_kits(self) -> dict[str, int]:
        """What is held by location, in units of the line's SKU."""
        return _by_location(self.taken, self.skus, self.made_of)


class Outcome(NamedTuple):
    """What became of a request, a line for each of its wishes; what is held ends at `until`."""

    lines: tuple[LineOutcome, ...]
    until: datetime | None = None

    @property
    def is_held(self) -> bool:
        """Is anything held?"""
        return any(line.taken for line in self.lines)

    @property
    def is_whole(self) -> bool:
        """Is everything held that was asked for?"""
        return all(line.refusal is None for line in self.lines)


def _by_location(taken: Iterable[Taken], skus: Sequence[str], made_of: MadeOf) -> dict[str, int]:
    """What a line has taken by location, in units of its own SKU. `skus` names the SKU of each that
    is taken, and is empty where all are of the line's own.
    """
    found: dict[str, int] = {}
    if not skus:
        for one in taken:
            found[one.location] = found.get(one.location, 0) + one.quantity
        return found
    first, per_kit = made_of[0]  # every kit of parts has its part of this one
    parts = {sku for sku, _ in made_of}
    for one, sku in zip(taken, skus, strict=True):
        if sku == first:
            found[one.location] = found.get(one.location, 0) + one.quantity // per_kit
        elif sku not in parts:
            found[one.location] = found.get(one.location, 0) + one.quantity
    return found
