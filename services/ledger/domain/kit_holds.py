"""Kits in requests: how many the parts make up at each place, as the channel is shown them."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.ledger.domain.offers import LevelId, Taken, is_out
from services.ledger.domain.requests import Reserve, SkuStock
from services.ledger.domain.terms import MadeOf, PlaceTerms, TermBook

NO_KITS: Mapping[str, int] = {}


def made_of_parts(
    request: Reserve,
    made_of: MadeOf,
    places: Iterable[str],
    stocks: Mapping[str, SkuStock],
    book: TermBook,
    taken: Mapping[LevelId, int],
    now: datetime,
) -> Mapping[str, int]:
    """Kits that the parts at each of the places make up; places without any are left out.

    The minimum over the parts of whole kits, place by place, of what is spare there: what the
    part's own location terms offer, less what the pool owes of it already, which is served first,
    in the order of the pool. Nothing of a recalled part; other ends of its own sale don't bind.
    """
    if not made_of:
        return NO_KITS
    spare = []
    for sku, per_kit in made_of:
        stock = stocks.get(sku)
        if stock is None or stock.facts.life_at(now).is_recalled:
            return {}
        spare.append((per_kit, _spare(request, stock, places, book, taken, now)))
    found = {
        place: min(units.get(place, 0) // per_kit for per_kit, units in spare) for place in places
    }
    return {place: kits for place, kits in found.items() if kits}


def _spare(
    request: Reserve,
    stock: SkuStock,
    places: Iterable[str],
    book: TermBook,
    taken: Mapping[LevelId, int],
    now: datetime,
) -> dict[str, int]:
    terms = _places_of(request, stock, places, book, now)
    owed = 0
    if request.channel is not None:
        owed = stock.unsourced + sum(
            stock.levels[name].short for name in terms if name in stock.levels
        )
    found: dict[str, int] = {}
    for name, place in terms.items():
        stand = stock.levels.get(name)
        if stand is None or place.hindrance is not None or is_out(stand, place):
            continue
        offered = max(0, stand.free - taken.get(stand.level_id, 0) - place.buffer)
        served = min(offered, owed)
        owed -= served
        found[name] = offered - served
    return found


def _places_of(
    request: Reserve, stock: SkuStock, places: Iterable[str], book: TermBook, now: datetime
) -> Mapping[str, PlaceTerms]:
    """The part's terms: of the channel's whole pool, since what is owed is owed by all of it."""
    facts = stock.facts
    life = facts.life_at(now)
    if request.channel is None:
        return {name: book.of_location(facts, life, name, now) for name in places}
    return book.of_channel(facts, life, request.channel, request.method, now).places


def exploded(
    kit: str,
    taken: Iterable[Taken],
    own: Mapping[str, int],
    made_of: MadeOf,
    stocks: Mapping[str, SkuStock],
) -> list[tuple[str, LevelId, str, int]]:
    """What was taken in kits, as units that stand somewhere: (SKU, level, location, units). Kits
    that stand made up, `own` at each location, go first.
    """
    found: list[tuple[str, LevelId, str, int]] = []
    for level_id, location, quantity in taken:
        made_up = min(quantity, own[location])
        if made_up:
            found.append((kit, level_id, location, made_up))
        if kits := quantity - made_up:
            found += [
                (sku, stocks[sku].levels[location].level_id, location, kits * per_kit)
                for sku, per_kit in made_of
            ]
    return found
