"""Requests that may wait for goods: back-orders beyond what is there, pre-orders before the sale.

What waits is held at a place like any unit. It makes the free units there negative, so that every
channel's pool counts it as owed, and what comes in serves it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from services.ledger.domain.fences import Fence
from services.ledger.domain.offers import LevelId, Offer, Stand, Taken
from services.ledger.domain.refusals import Refusal, RefusalReason
from services.ledger.domain.terms import Terms

# Who may be told to wait: a customer in a store, a transfer or a fence may not.
WAITING = frozenset({"cart", "order"})


class Coming(NamedTuple):
    """Units > 0 that are expected at a place."""

    at: datetime
    units: int
    location: str


class Outlook(NamedTuple):
    """What a SKU owes already (units of open holds that wait, and of lines that are short), and
    what is expected of it, the earliest first.
    """

    owed: int = 0
    coming: tuple[Coming, ...] = ()


class Waits(NamedTuple):
    """What of a line waits, by when it is promised (None: nobody knows), and what may not wait."""

    taken: Taken | None
    promised_at: datetime | None
    refusal: Refusal | None


def place_for(places: Iterable[str], coming: Sequence[Coming]) -> str | None:
    """Where units wait: the first of the places where any are expected, else the first."""
    names = list(places)
    expecting = {one.location for one in coming}
    return next((name for name in names if name in expecting), names[0] if names else None)


def claimed(
    levels: Iterable[Stand],
    unsourced: int,
    fences: Iterable[Fence],
    taken: Mapping[LevelId, int],
) -> int:
    """Units of a SKU that somebody has: before its sale begins, what is pre-ordered."""
    units = unsourced - sum(fence.left - taken.get(fence.key, 0) for fence in fences)
    for stand in levels:
        units += stand.reserved + stand.allocated + taken.get(stand.level_id, 0)
    return units


def missing_at(levels: Iterable[Stand], unsourced: int, taken: Mapping[LevelId, int]) -> int:
    """Units that are claimed and not there."""
    return unsourced + sum(max(0, taken.get(stand.level_id, 0) - stand.free) for stand in levels)


def wait(
    found: Sequence[Taken],
    quantity: int,
    offers: Sequence[Offer],
    terms: Terms,
    outlook: Outlook,
    ahead: int,
    now: datetime,
    *,
    may_split: bool,
    is_partial: bool,
) -> Waits | None:
    """What of a line of `quantity` waits, of which `found` is there; None where there is no place
    to wait at. `ahead` units are owed to others first. Not all or nothing if `is_partial`.
    """
    coming = [one for one in outlook.coming if _is_offered(one.location, terms)]
    names = [offer.location for offer in offers]
    place = found[0].location if found and not may_split else place_for(names, coming)
    if place is None:
        return None
    there = sum(one.quantity for one in found)
    units, reason = _room(quantity - there, terms, outlook, coming, ahead, now)
    short = quantity - there - units
    promised_at = _promised_at(units, coming, ahead, terms.opens_at)
    refusal = None
    if reason is not None and short:
        refusal = Refusal(reason, short if is_partial else quantity, there + units)
    if not units or (refusal is not None and not is_partial):
        return Waits(None, promised_at, refusal)
    stand = offers[names.index(place)].stand
    return Waits(Taken(stand.level_id, place, units), promised_at, refusal)


def _room(
    wanted: int,
    terms: Terms,
    outlook: Outlook,
    coming: Sequence[Coming],
    ahead: int,
    now: datetime,
) -> tuple[int, RefusalReason | None]:
    """How many of the wanted units may wait, and why no more."""
    reason = None
    if terms.opens_at is None:  # how much is pre-ordered is limited before, with what is there
        spare = max(0, terms.back_order_limit - outlook.owed)
        if spare < wanted:
            wanted, reason = spare, RefusalReason.EXCEEDS_BACK_ORDER_LIMIT
    if terms.back_order_days is not None:
        by = max(now, terms.opens_at or now) + timedelta(days=terms.back_order_days)
        in_time = max(0, sum(one.units for one in coming if one.at <= by) - ahead)
        if in_time < wanted:
            wanted, reason = in_time, RefusalReason.NOT_EXPECTED_IN_TIME
    return wanted, reason


def _promised_at(
    units: int, coming: Sequence[Coming], ahead: int, opens_at: datetime | None
) -> datetime | None:
    """When so many units will have come that these have, and the sale has begun."""
    if not units:
        return opens_at
    total = 0
    for one in coming:
        total += one.units
        if total >= ahead + units:
            return one.at if opens_at is None else max(one.at, opens_at)
    return None


def _is_offered(location: str, terms: Terms) -> bool:
    place = terms.places.get(location)
    return place is not None and place.hindrance is None
