"""Holds: who gets what of the units that are there, decided for a group of requests in order.

Greedy in order of arrival: a request that is refused takes nothing from the next one. A cart is
held whole or not at all, unless it asks for what there is; its demand for a SKU adds up over its
lines. Nothing here reads the clock or the database.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from services.ledger.domain.fences import TAKING, Fence, Use, left_at, open_to, use
from services.ledger.domain.kit_holds import exploded, made_of_parts
from services.ledger.domain.limits import Had, limit_of
from services.ledger.domain.offers import (
    FREELY,
    NO_STAND,
    LevelId,
    Offer,
    Taken,
    best,
    bound,
    is_out,
    offer_of,
    split,
)
from services.ledger.domain.refusals import PRECEDENCE, Refusal, RefusalReason
from services.ledger.domain.requests import LineOutcome, Outcome, Reserve, SkuStock, Wish
from services.ledger.domain.terms import MadeOf, TermBook, Terms
from services.ledger.domain.waiting import WAITING, claimed, missing_at, wait

# A recall takes whatever lies anywhere: no buffer keeps a unit from it, and no closure.
UNBOUND = frozenset({"recall"})


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
        for wish, line in zip(request.wishes, outcome.lines, strict=True):
            stocks = _owing(stocks, wish.sku, line)
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


def _owing(stocks: Mapping[str, SkuStock], sku: str, line: LineOutcome) -> Mapping[str, SkuStock]:
    """What is owed with what waits now."""
    outlook = stocks[sku].outlook if line.waiting else None
    if outlook is None:
        return stocks
    more = outlook._replace(owed=outlook.owed + line.waiting)
    return {**stocks, sku: replace(stocks[sku], outlook=more)}


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
        stocks = _owing(stocks, wishes[place].sku, line)
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
    terms = terms_of(request, wish, stock, book, now)
    if terms.refusal is not None:
        return _nothing(terms.refusal, wish)
    customer = request.whom.customer_ref
    had = stock.had.get(customer, ()) if customer else ()
    limit = limit_of(terms, request.purpose, had, before, _claimed(terms, stock, taken))
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
    if may_wait(request, stock, terms, now) and stock.outlook is not None:
        eager = request._replace(takes_what_there_is=True)
        there = _take(eager, wish, offers, headroom)
        line = _wait(request, wish, there, offers, terms, stock, taken, now)
        return line._replace(uses=_uses(fences, there.taken)) if fences and line.taken else line
    line = _take(request, wish, offers, headroom)
    line = _explode(wish, line, offers, made_of, stocks) if made_of else line
    return line._replace(uses=_uses(fences, line.taken)) if fences else line


def may_wait(request: Reserve, stock: SkuStock, terms: Terms, now: datetime) -> bool:
    """May units be held that are still to come? A kit is put together of what is there."""
    return (
        request.may_wait
        and request.purpose in WAITING
        and terms.may_wait
        and not made_of_at(request, stock, now)
    )


def _wait(
    request: Reserve,
    wish: Wish,
    there: LineOutcome,
    offers: Sequence[Offer],
    terms: Terms,
    stock: SkuStock,
    taken: Mapping[LevelId, int],
    now: datetime,
) -> LineOutcome:
    """What is there, and what of the rest may wait."""
    outlook, stands = stock.outlook, stock.levels.values()
    assert outlook is not None, "who may wait has read what is to come"
    waits = wait(
        there.taken, wish.quantity, offers, terms, outlook,
        max(outlook.owed, missing_at(stands, stock.unsourced, taken)), now,
        may_split=wish.may_split, is_partial=request.takes_what_there_is,
    )  # fmt: skip
    if waits is None:
        return _take(request, wish, offers, 0) if not request.takes_what_there_is else there
    if waits.refusal is not None and not request.takes_what_there_is:
        return LineOutcome((), waits.refusal)
    units = () if waits.taken is None else (waits.taken,)
    return LineOutcome(
        (*there.taken, *units), waits.refusal, promised_at=waits.promised_at,
        waiting=0 if waits.taken is None else waits.taken.quantity,
    )  # fmt: skip


def _claimed(terms: Terms, stock: SkuStock, taken: Mapping[LevelId, int]) -> int:
    if terms.opens_at is None:
        return 0
    return claimed(stock.levels.values(), stock.unsourced, stock.fences, taken)


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


def terms_of(request: Reserve, wish: Wish, stock: SkuStock, book: TermBook, now: datetime) -> Terms:
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
        if request.may_wait and terms.pre_order_limit and life.is_before_sale(now):
            return terms._replace(opens_at=life.sold_from)
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
