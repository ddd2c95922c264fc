"""A group of requests to hold units: decided at once, and recorded in one transaction.

The decision is made on the levels as last seen. If it holds everything that was asked for, one
statement records it, provided that all still stands as it was seen. If it doesn't stand, or
something is refused, the levels are locked, what is due is settled, and all is decided again
there: nobody is refused for units that a hold has given back.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from services.ledger.domain.holds import decide_all
from services.ledger.domain.offers import Stand, Taken
from services.ledger.domain.refusals import Refusal, RefusalReason
from services.ledger.domain.requests import LineOutcome, Outcome, Reserve, SkuStock
from services.ledger.domain.terms import TermBook
from services.ledger.domain.waiting import Outlook
from services.ledger.handlers.fencing import uses_of
from services.ledger.handlers.kit_holding import kit_parts_of, made_of_rows, parts_in
from services.ledger.handlers.terming import facts_of, reference_of
from services.ledger.handlers.waiting import is_before_sale, make_room, with_outlooks
from services.ledger.repository import fences, holds, kits, terms
from services.ledger.repository.customers import read_had
from services.ledger.repository.holds import Parts, Premises
from services.ledger.repository.lines import lock_levels
from services.ledger.repository.stocks import levels_of, read_stocks
from shared.contracts.holds import Purpose
from shared.postgres.connecting import Connection, Pool
from shared.runtime.clock import Clock
from shared.stock.policies import Term

# A process's memory must not grow with SKU × location: past this, all is read again.
LEVELS_MAX = 200_000


class Conflict:
    """The id is known, and the request under it was another one."""


CONFLICT = Conflict()
Answer = Outcome | Conflict
Stocks = Mapping[str, SkuStock]


class Reserving:
    """Decides and records groups; remembers what it has seen, which is never what decides."""

    def __init__(self, pool: Pool, clock: Clock, *, woken: Callable[[], None]) -> None:
        self._pool = pool
        self._clock = clock
        self._woken = woken
        self._stocks: dict[str, SkuStock] = {}
        self._levels = 0
        self._book: TermBook | None = None

    async def reserve(self, requests: Sequence[Reserve]) -> list[Answer]:
        """An answer for each request, in its order. May be run again with the same requests."""
        first: dict[str, Reserve] = {}
        for request in requests:
            first.setdefault(request.hold_id, request)
        group = list(first.values())
        answers = await self._decide(group)
        return [
            answers[one.hold_id] if first[one.hold_id].digest == one.digest else CONFLICT
            for one in requests
        ]

    async def _decide(self, group: Sequence[Reserve]) -> dict[str, Answer]:
        async with self._pool.acquire(timeout=5) as connection:
            recorded = await self._record_unlocked(connection, group)
            if recorded is None:
                async with connection.transaction():
                    recorded = await self._record_locked(connection, group)
        self._woken()
        return recorded

    async def _record_unlocked(
        self, connection: Connection, group: Sequence[Reserve]
    ) -> dict[str, Answer] | None:
        """Decide on what was seen; None where that must not stand."""
        now = self._clock.now()
        stocks = await self._seen(connection, _skus_of(group))
        if parts_in(group, stocks, now):
            return None  # kits are decided on locked rows: theirs, and those of their parts
        if is_before_sale(group, stocks, now):
            return None
        if any(request.purpose == Purpose.RING_FENCE for request in group):
            return None  # what is remembered of levels knows fences only as they were read
        book = await self._terms(connection, now)
        if _customers_limited(group, stocks, book):
            return None  # two orders of one customer are decided one after the other
        outcomes = decide_all(group, stocks, book, now)
        if not all(outcome.is_whole for outcome in outcomes) or uses_of(group, outcomes):
            return None
        premises = _premises(group, outcomes, stocks, book)
        moved = await holds.record(connection, now, _parts(group, outcomes, stocks), premises)
        if moved is None:
            return None
        self._remember_moved(stocks, moved)
        return _answers(group, outcomes)

    async def _record_locked(
        self, connection: Connection, group: Sequence[Reserve]
    ) -> dict[str, Answer]:
        """Lock, settle what is due, read, decide, write."""
        skus = _skus_of(group)
        seen = await self._seen(connection, skus)
        skus += parts_in(group, seen, self._clock.now())
        outlooks: Mapping[str, Outlook] = {}
        if any(request.may_wait for request in group):
            book = await self._terms(connection, self._clock.now())
            outlooks = await make_room(connection, group, seen, book, self._clock.now())
        levels = await levels_of(connection, skus)
        await lock_levels(connection, levels)
        now = self._clock.now()
        await holds.expire(connection, levels, now)
        known = await holds.find(connection, [request.hold_id for request in group])
        self._forget(skus)
        # Not remembered: it is true only if this commits.
        stocks: Stocks = await _read(connection, skus)
        if not set(parts_in(group, stocks, now)) <= set(skus):
            raise asyncpg.SerializationError("a kit is made of other parts by now: run again")
        version = await terms.terms_version(connection)
        if self._book is None or not self._book.holds(version, now):
            self._book = None
        book = await self._terms(connection, now)
        if customers := _customers_limited(group, stocks, book):
            stocks = await _with_had(connection, stocks, customers, now)
        stocks = await with_outlooks(connection, stocks, outlooks, now)
        fresh = [request for request in group if request.hold_id not in known]
        outcomes = decide_all(fresh, stocks, book, now)
        parts = _parts(fresh, outcomes, stocks)
        if await holds.write(connection, now, parts) != len(parts):
            raise asyncpg.SerializationError("an id was recorded meanwhile: run again")
        await kits.mark_parts(connection, kit_parts_of(fresh, outcomes, stocks))
        await fences.take(connection, now, uses_of(fresh, outcomes))
        return _answers(fresh, outcomes) | _told_before(group, known)

    async def _seen(self, connection: Connection, skus: Collection[str]) -> Stocks:
        """The SKUs as last seen, read where they were not."""
        missing = [sku for sku in skus if sku not in self._stocks]
        if missing:
            if self._levels > LEVELS_MAX:
                self._stocks.clear()
                self._levels, missing = 0, list(skus)
            read = await _read(connection, missing)
            self._stocks.update(read)
            self._levels += sum(1 + len(stock.levels) for stock in read.values())
        return {sku: self._stocks[sku] for sku in skus if sku in self._stocks}

    async def _terms(self, connection: Connection, now: datetime) -> TermBook:
        if self._book is None or not self._book.holds(self._book.reference.version, now):
            version, records = await terms.shared_records(connection)
            self._book = TermBook(reference_of(version, records), now)
        return self._book

    def _forget(self, skus: Collection[str]) -> None:
        for sku in skus:
            self._stocks.pop(sku, None)

    def _remember_moved(self, stocks: Stocks, moved: Sequence[holds.Moved]) -> None:
        """The levels as this process has just left them."""
        stands = {figures[0]: figures for figures in moved}
        for sku, stock in stocks.items():
            if any(stand.level_id in stands for stand in stock.levels.values()):
                levels = {
                    place: Stand(*stands[stand.level_id], stand.is_suspended)
                    if stand.level_id in stands
                    else stand
                    for place, stand in stock.levels.items()
                }
                self._stocks[sku] = replace(stock, levels=levels)


async def _read(connection: Connection, skus: Collection[str]) -> dict[str, SkuStock]:
    seen = await read_stocks(connection, skus)
    records = await terms.records_of_skus(connection, seen)
    return {
        sku: SkuStock(
            sku_id=one.sku_id, levels=one.levels, unsourced=one.unsourced,
            facts=facts_of(sku, one.terms, records.get(sku, ())), fences=one.fences,
        )
        for sku, one in seen.items()
    }  # fmt: skip


async def _with_had(
    connection: Connection, stocks: Stocks, customers: Collection[str], now: datetime
) -> Stocks:
    """The SKUs with what these customers have been given of them."""
    given = await read_had(connection, customers, [one.sku_id for one in stocks.values()], now)
    return {sku: replace(one, had=given.get(one.sku_id, {})) for sku, one in stocks.items()}


def _customers_limited(group: Sequence[Reserve], stocks: Stocks, book: TermBook) -> set[str]:
    """Customers of the group, where any limit per customer could bind them."""
    customers = {request.whom.customer_ref for request in group} - {None}
    if not customers:
        return set()
    own = (policy for stock in stocks.values() for policy in stock.facts.policies)
    if not any(p.term is Term.CUSTOMER_LIMIT for p in (*book.reference.policies, *own)):
        return set()
    return {customer for customer in customers if customer is not None}


def _skus_of(group: Sequence[Reserve]) -> list[str]:
    return list(dict.fromkeys(wish.sku for request in group for wish in request.wishes))


def _answers(group: Sequence[Reserve], outcomes: Sequence[Outcome]) -> dict[str, Answer]:
    return {request.hold_id: outcome for request, outcome in zip(group, outcomes, strict=True)}


def _premises(
    group: Sequence[Reserve], outcomes: Sequence[Outcome], stocks: Stocks, book: TermBook
) -> Premises:
    """What the decision rests on: the levels it takes from and what it read beside them.

    Where units are owed, or a channel keeps some back, the sum over the pool has decided: then
    all levels of the SKU are locked, since another request may count on the same sum.
    """
    found = Premises(terms=book.reference.version)
    summed: dict[str, bool] = {}
    for request, outcome in zip(group, outcomes, strict=True):
        for wish, line in zip(request.wishes, outcome.lines, strict=True):
            stock = stocks[wish.sku]
            found.skus[stock.sku_id] = (stock.facts.version, stock.unsourced)
            for taken in line.taken:
                found.written[taken.level_id] = stock.levels[taken.location].version
            if request.channel is not None:
                is_bound = stock.owes or book.keeps_back or bool(stock.facts.policies)
                summed[wish.sku] = is_bound
    for sku, is_bound in summed.items():
        into = found.written if is_bound else found.read
        into.update({stand.level_id: stand.version for stand in stocks[sku].levels.values()})
    for level_id in found.written:
        found.read.pop(level_id, None)
    return found


def _parts(group: Sequence[Reserve], outcomes: Sequence[Outcome], stocks: Stocks) -> Parts:
    """The rows of the group, in its order: what is held, and what is refused."""
    parts = Parts()
    for request, outcome in zip(group, outcomes, strict=True):
        part = 0
        for place, line in enumerate(outcome.lines):
            stock = stocks.get(request.wishes[place].sku)
            sku_id = stock.sku_id if stock else None
            for at, taken in enumerate(line.taken):
                of = stocks[line.skus[at]].sku_id if line.skus else sku_id
                _add(parts, request, part, place, of, taken.level_id, taken.quantity)
                parts.waiting.append(at == len(line.taken) - 1 and line.waiting > 0)
                parts.promised.append(line.promised_at)
                part += 1
            if line.refusal is not None:
                _add(parts, request, part, place, sku_id, None, line.refusal.quantity)
                parts.waiting.append(False)
                parts.promised.append(line.promised_at)
                part += 1
            _add_reasons(parts, request.wishes[place].sku, sku_id, line)
    return parts


def _add(
    parts: Parts,
    request: Reserve,
    part: int,
    place: int,
    sku_id: int | None,
    level_id: int | None,
    quantity: int,
) -> None:
    parts.hold_ids.append(request.hold_id)
    parts.parts.append(part)
    parts.lines.append(place)
    parts.digests.append(request.digest)
    parts.skus.append(sku_id)
    parts.levels.append(level_id)
    parts.purposes.append(request.purpose)
    parts.channels.append(request.channel)
    parts.beneficiaries.append(request.beneficiary)
    parts.quantities.append(quantity)
    parts.untils.append(request.until)


def _add_reasons(parts: Parts, sku: str, sku_id: int | None, line: LineOutcome) -> None:
    nothing: list[None] = [None] * len(line.taken)
    refusal = line.refusal
    parts.reasons += nothing if refusal is None else [*nothing, refusal.reason]
    parts.possible += nothing if refusal is None else [*nothing, refusal.possible]
    unknown = sku if sku_id is None else None
    parts.unknown_skus += nothing if refusal is None else [*nothing, unknown]


def _told_before(
    group: Sequence[Reserve], known: Mapping[str, Sequence[asyncpg.Record]]
) -> dict[str, Answer]:
    """The answers that requests with known ids were given."""
    return {
        request.hold_id: outcome_of(known[request.hold_id])
        if known[request.hold_id][0]["digest"] == request.digest
        else CONFLICT
        for request in group
        if request.hold_id in known
    }


def outcome_of(rows: Sequence[asyncpg.Record]) -> Outcome:
    """What became of a request when it was decided, from its parts."""
    taken: dict[int, list[Taken]] = {}
    refusals: dict[int, Refusal] = {}
    for row in rows:
        held = taken.setdefault(row["line"], [])
        if row["level_id"] is not None:
            held.append(Taken(row["level_id"], row["location"], row["quantity"]))
        else:
            reason = RefusalReason(row["reason"])
            refusals[row["line"]] = Refusal(reason, row["quantity"], row["possible"])
    waiting = {row["line"]: row["quantity"] for row in rows if row["is_waiting"]}
    promised = {row["line"]: row["promised_at"] for row in rows}
    lines = [
        LineOutcome(
            tuple(taken[line]), refusals.get(line), *made_of_rows(rows, line),
            waiting=waiting.get(line, 0), promised_at=promised[line],
        )
        for line in sorted(taken)
    ]  # fmt: skip
    return Outcome(tuple(lines), rows[0]["held_until"])
