"""Holds: who gets what of the units that are there, decided for a group of requests in order.

Greedy in order of arrival: a request that is refused takes nothing from the next one. A cart is
held whole or not at all, unless it asks for what there is; its demand for a SKU adds up over its
lines. Nothing here reads the clock or the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.fences import NOBODY, TAKING, Fence, Use, Whom, left_at, open_to, use
from services.ledger.domain.kit_holds import by_location, exploded, made_of_parts
from services.ledger.domain.limits import Had, limit_of
from services.ledger.domain.offers import (
    FREELY,
    NO_STAND,
    LevelId,
    Offer,
    Stand,
    Taken,
    best,
    bound,
    is_out,
    offer_of,
    split,
)
from services.ledger.domain.refusals import PRECEDENCE, Refusal, RefusalReason
from services.ledger.domain.terms import MadeOf, SkuFacts, TermBook, Terms

# A recall takes whatever lies anywhere: no buffer keeps a unit from it, and no closure.
UNBOUND = frozenset({"recall"})


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


class LineOutcome(NamedTuple):
    """What one line holds, and what of it was refused.

    A kit's line holds kits that stand made up and units of the parts of `made_of`: `skus` names the
    SKU of each that is taken. It is empty where all are of the line's own. `uses` are those of the
    units that a fence has left, and that its beneficiary takes.
    """

    taken: tuple[Taken, ...]
    refusal: Refusal | None
    made_of: MadeOf = ()
    skus: tuple[str, ...] = ()
    uses: tuple[Use, ...] = ()

    def in_kits(self) -> dict[str, int]:
        """What is held by location, in units of the line's SKU."""
        return by_location(self.taken, self.skus, self.made_of)


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


def decide_all(
    requests: Iterable[Reserve], stocks: Mapping[str, SkuStock], terms: TermBook, now: datetime
) -> list[Outcome]:
    """Decide the requests in their order, each on what those before it have left."""
    taken: dict[LevelId, int] = {}
    outcomes: list[Outcome] = []
    for request in requests:
        outcome = decide(request, stocks, terms, taken, now)
        taken = evolve(taken, outcome)
        if request.whom.customer_ref is not None and outcome.is_held:
            stocks = _counted(stocks, request, request.whom.customer_ref, outcome, now)
        outcomes.append(outcome)
    return outcomes


def _counted(
    stocks: Mapping[str, SkuStock], request: Reserve, customer: str, outcome: Outcome, now: datetime
) -> Mapping[str, SkuStock]:
    """What the customer has now, for the requests after this one."""
    after = dict(stocks)
    for wish, line in zip(request.wishes, outcome.lines, strict=True):
        if line.taken:
            more = Had(now, sum(line.in_kits().values()))
            had = after[wish.sku].had
            told = {**had, customer: (*had.get(customer, ()), more)}
            after[wish.sku] = replace(after[wish.sku], had=told)
    return after


def decide(
    request: Reserve,
    stocks: Mapping[str, SkuStock],
    terms: TermBook,
    taken: Mapping[LevelId, int],
    now: datetime,
) -> Outcome:
    """Decide one request on the stocks as seen, of which `taken` is gone already."""
    wishes = request.wishes
    if len(wishes) == 1:
        line = _decide_line(request, wishes[0], stocks, terms, taken, now, 0)
        return Outcome((line,), request.until)
    # A line that may be served at few places goes first, so that another doesn't take its units.
    order = sorted(range(len(wishes)), key=lambda place: len(wishes[place].locations) or 10**6)
    lines: dict[int, LineOutcome] = {}
    left = taken
    for place in order:
        before = _held(wishes[place].sku, wishes, lines)
        line = _decide_line(request, wishes[place], stocks, terms, left, now, before)
        left = evolve(left, Outcome((line,)))
        lines[place] = line
    decided = Outcome(tuple(lines[place] for place in range(len(wishes))), request.until)
    return decided if decided.is_whole or request.takes_what_there_is else _refuse(request, decided)


def _held(sku: str, wishes: Sequence[Wish], lines: Mapping[int, LineOutcome]) -> int:
    """Units of a SKU that the lines so far hold, a kit counted as one."""
    of_sku = [line for place, line in lines.items() if wishes[place].sku == sku]
    return sum(units for line in of_sku for units in line.in_kits().values())


def evolve(taken: Mapping[LevelId, int], outcome: Outcome) -> dict[LevelId, int]:
    """What is taken after an outcome."""
    after = dict(taken)
    for line in outcome.lines:
        for level_id, _, quantity in line.taken:
            after[level_id] = after.get(level_id, 0) + quantity
        for fence, quantity in line.uses:  # of what was free nothing is taken by these
            after[fence.level_id] -= quantity
            after[fence.key] = after.get(fence.key, 0) + quantity
    return after


def _refuse(request: Reserve, decided: Outcome) -> Outcome:
    """All or none: a line that could be held goes with the one that couldn't."""
    lines = []
    for wish, line in zip(request.wishes, decided.lines, strict=True):
        refusal = line.refusal or Refusal(
            RefusalReason.ANOTHER_LINE_REFUSED, wish.quantity, wish.quantity
        )
        lines.append(LineOutcome((), refusal._replace(quantity=wish.quantity)))
    return Outcome(tuple(lines), request.until)


def _decide_line(
    request: Reserve,
    wish: Wish,
    stocks: Mapping[str, SkuStock],
    book: TermBook,
    taken: Mapping[LevelId, int],
    now: datetime,
    before: int,
) -> LineOutcome:
    stock = stocks.get(wish.sku)
    if stock is None:
        return _nothing(RefusalReason.UNKNOWN_SKU, wish)
    terms = _terms_of(request, wish, stock, book, now)
    if terms.refusal is not None:
        return _nothing(terms.refusal, wish)
    customer = request.whom.customer_ref
    had = stock.had.get(customer, ()) if customer else ()
    limit = limit_of(terms, request.purpose, had, before)
    if limit is None or wish.quantity <= limit.most:
        return _decide_under(terms, request, wish, stock, stocks, book, taken, now)
    if not limit.most:
        return _nothing(limit.reason, wish)
    allowed = wish._replace(quantity=limit.most)
    line = _decide_under(terms, request, allowed, stock, stocks, book, taken, now)
    held = sum(line.in_kits().values()) or (line.refusal.possible if line.refusal else 0)
    if request.takes_what_there_is:
        missing = wish.quantity - held
        return line._replace(refusal=Refusal(limit.reason, missing, held))
    return LineOutcome((), Refusal(limit.reason, wish.quantity, held))


def _decide_under(
    terms: Terms,
    request: Reserve,
    wish: Wish,
    stock: SkuStock,
    stocks: Mapping[str, SkuStock],
    book: TermBook,
    taken: Mapping[LevelId, int],
    now: datetime,
) -> LineOutcome:
    places = wish.locations or terms.places
    made_of = made_of_at(request, stock, now)
    around = (*places, *terms.places) if made_of else ()
    made = made_of_parts(request, made_of, around, stocks, book, taken, now)
    fences = _open_for(request, stock, taken, now) if stock.fences else ()
    fenced = left_at(fences)
    hindrances: list[RefusalReason] = []
    offers: list[Offer] = []
    for location in places:
        place = terms.places.get(location)
        if place is None:
            hindrances.append(RefusalReason.LOCATION_NOT_OF_CHANNEL)
        elif place.hindrance is not None:
            hindrances.append(place.hindrance)
        elif (stand := stock.levels.get(location, NO_STAND)) is NO_STAND and location not in made:
            pass
        elif location not in made and is_out(stand, place):
            hindrances.append(RefusalReason.LOCATION_SUSPENDED)
        else:
            offers.append(offer_of(stand, location, place, taken, made, fenced))
    if hindrances and len(hindrances) == len(places):
        return _nothing(min(hindrances, key=PRECEDENCE.__getitem__), wish)
    headroom = _headroom(request, stock, terms, taken, made, fenced)
    line = _take(request, wish, offers, headroom)
    line = _explode(wish, line, offers, made_of, stocks) if made_of else line
    return line._replace(uses=_uses(fences, line.taken)) if fences else line


def _open_for(
    request: Reserve, stock: SkuStock, taken: Mapping[LevelId, int], now: datetime
) -> Sequence[Fence]:
    if request.purpose not in TAKING:
        return ()
    return open_to(request.whom, stock.fences, taken, now)


def _uses(fences: Sequence[Fence], taken: Sequence[Taken]) -> tuple[Use, ...]:
    """What of the units taken at each level are the fences': theirs come first."""
    return tuple(used for one in taken for used in use(fences, one.level_id, one.quantity))


def made_of_at(request: Reserve, stock: SkuStock, now: datetime) -> MadeOf:
    """The parts of a kit, where a request may have it put together; a recall takes what stands
    made up.
    """
    if not stock.facts.may_be_kit or request.purpose in UNBOUND:
        return ()
    return stock.facts.life_at(now).made_of


def _explode(
    wish: Wish,
    line: LineOutcome,
    offers: Sequence[Offer],
    made_of: MadeOf,
    stocks: Mapping[str, SkuStock],
) -> LineOutcome:
    own = {offer.location: offer.own for offer in offers}
    found = exploded(wish.sku, line.taken, own, made_of, stocks)
    return line._replace(
        taken=tuple(Taken(level_id, location, units) for _, level_id, location, units in found),
        made_of=made_of,
        skus=tuple(sku for sku, *_ in found),
    )


def _terms_of(
    request: Reserve, wish: Wish, stock: SkuStock, book: TermBook, now: datetime
) -> Terms:
    """The channel's terms for the SKU; without a channel those of the places alone."""
    if request.purpose in UNBOUND:
        return Terms(dict.fromkeys(wish.locations or stock.levels, FREELY))
    facts = stock.facts
    life = facts.life_at(now)
    if request.channel is None:
        names = wish.locations or tuple(stock.levels)
        return Terms({name: book.of_location(facts, life, name, now) for name in names})
    terms = book.of_channel(facts, life, request.channel, request.method, now)
    if terms.refusal is None and life.is_closed(now):
        return Terms({}, refusal=RefusalReason.SKU_CLOSED)
    return terms


def _headroom(
    request: Reserve,
    stock: SkuStock,
    terms: Terms,
    taken: Mapping[LevelId, int],
    made: Mapping[str, int],
    fenced: Mapping[LevelId, int],
) -> int | None:
    """Units that the channel's pool has above what is owed; None where that binds nobody.

    A location that owes units which it doesn't have takes them from the others' offers: clamped
    place by place, the sum would show them again.
    """
    if request.channel is None or not (stock.owes or terms.channel_buffer):
        return None
    pool = -stock.unsourced - terms.channel_buffer
    for location, place in terms.places.items():
        if place.hindrance is None:
            pool += made.get(location, 0)
        stand = stock.levels.get(location)
        if stand is None:
            continue
        pool -= stand.short
        if place.hindrance is None and not is_out(stand, place):
            pool += max(0, stand.free - taken.get(stand.level_id, 0) - place.buffer)
            pool += fenced.get(stand.level_id, 0)
    return max(0, pool)


def _take(
    request: Reserve, wish: Wish, offers: Sequence[Offer], headroom: int | None
) -> LineOutcome:
    """At the first place that serves the line whole, else split in the order of the places."""
    for offer in offers:
        if min(offer.quantity, bound(offer, headroom)) >= wish.quantity:
            taken = Taken(offer.stand.level_id, offer.location, wish.quantity)
            return LineOutcome((taken,), None)
    found = split(offers, wish.quantity, headroom) if wish.may_split else best(offers, headroom)
    possible = sum(one.quantity for one in found)
    missing = wish.quantity - possible
    if missing == 0:
        return LineOutcome(found, None)
    offered = [offer.quantity for offer in offers] or [0]
    is_offered = (sum(offered) if wish.may_split else max(offered)) >= wish.quantity
    reason = (
        RefusalReason.QUANTITY_EXCEEDS_POOL
        if is_offered
        else RefusalReason.QUANTITY_EXCEEDS_OFFERED
    )
    if request.takes_what_there_is:
        return LineOutcome(found, Refusal(reason, missing, possible))
    return LineOutcome((), Refusal(reason, wish.quantity, possible))


def _nothing(reason: RefusalReason, wish: Wish) -> LineOutcome:
    return LineOutcome((), Refusal(reason, wish.quantity, 0))
