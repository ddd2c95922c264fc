"""Holds as callers ask for them: reserve, extend, confirm, release, read."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from hashlib import blake2b

import asyncpg

from services.ledger.domain.fences import Whom
from services.ledger.domain.refusals import Refusal
from services.ledger.domain.requests import Outcome, Reserve, Wish
from services.ledger.handlers import settling
from services.ledger.handlers.closing import OpeningHours
from services.ledger.handlers.collecting import Collector, retried
from services.ledger.handlers.reserving import Answer, Conflict, Reserving, outcome_of
from services.ledger.handlers.settling import NotHeldError
from services.ledger.repository import explaining, holds
from services.ledger.repository.overdue import Allowed, overdue_holds
from shared.contracts.holds import (
    Beneficiary,
    Confirm,
    EndReason,
    Extend,
    Hold,
    HoldRequest,
    HoldState,
    Purpose,
    RefusalReason,
    Until,
)
from shared.contracts.orders import Method
from shared.postgres.connecting import Connection, Pool
from shared.runtime.clock import Clock

# Holds that end by themselves if their request doesn't say when.
ENDING = frozenset({Purpose.CART, Purpose.ORDER, Purpose.IN_STORE})
OPEN_AT_MAX = 500
# What stands in a body, in a header or in neither.
BESIDE = {"hold_id", "kind"}


def ends_at_closing(request: HoldRequest) -> bool:
    """Does a hold end at closing time: as it says, or because a customer comes to a store for it?

    That is so of reservations in a store, and of orders that are collected, at named places.
    """
    if request.closing_of_next_open_day:
        return True
    if request.until is not None or request.ttl_seconds is not None:
        return False
    is_collected = request.purpose is Purpose.ORDER and request.method is Method.COLLECT
    comes = is_collected or request.purpose is Purpose.IN_STORE
    return comes and all(line.locations for line in request.lines)


class EndedError(Exception):
    """A hold was asked to end in the past."""


class Holding:
    """The ledger's holds. `ttl_seconds` is how long those last that end and don't say when; what is
    open for longer than its kind's `overdue_after` is overdue.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        closing: asyncio.Event,
        *,
        woken: Callable[[], None],
        ttl_seconds: float,
        overdue_after: Allowed,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._woken = woken
        self._ttl_seconds = ttl_seconds
        self._overdue_after = overdue_after
        reserving = Reserving(pool, clock, woken=woken)
        self._collector: Collector[Reserve, Answer] = Collector(reserving.reserve, closing)
        self._hours = OpeningHours(pool)
        self.run = self._collector.run
        self.now = clock.now

    async def reserve(self, hold_id: str, request: HoldRequest) -> Hold | Conflict:
        """Hold what is asked for, or say why not; a conflict if the id was another request's.

        Raises EndedError, and UnavailableError when nothing can be decided now.
        """
        until = self._end_of(request)
        if ends_at_closing(request):
            places = {place for line in request.lines for place in line.locations}
            until = await self._hours.end_at(places, self._clock.now())
        elif until is None and request.purpose in ENDING:
            until = self._clock.now() + timedelta(seconds=self._ttl_seconds)
        answer = await self._collector.ask(_reserve_of(hold_id, request, until))
        if isinstance(answer, Conflict):
            return answer
        skus = [line.sku for line in request.lines]
        state = HoldState.HELD if answer.is_held else HoldState.REFUSED
        return _hold(hold_id, state, answer, skus)

    async def read(self, hold_id: str) -> Hold | None:
        """The hold as it stands; None where nobody has asked for it."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = (await holds.find(connection, [hold_id])).get(hold_id)
        return None if rows is None else self._told(hold_id, rows)

    async def open_at(self, location: str, sku: str | None, after: int) -> list[dict[str, object]]:
        """What is held at a location, in order of arrival, from number `after` on."""
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as connection:
            return await holds.open_at(connection, location, sku, now, after, OPEN_AT_MAX)

    async def overdue(self, location: str | None, after: int) -> list[dict[str, object]]:
        """What has been held for longer than its kind allows, the oldest first."""
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as connection:
            return await overdue_holds(
                connection, self._overdue_after, now, after, location, OPEN_AT_MAX
            )

    async def at_till(self, location: str, sku: str, quantity: int) -> dict[str, object] | None:
        """What a till must know before it sells `quantity` units: how many are nobody's, and whose
        the others are. None where the SKU has never been at the location.
        """
        now = self._clock.now()
        async with self._pool.acquire(timeout=5) as connection:
            found = await explaining.figures_at(connection, sku, location, now)
            if found is None:
                return None
            held = await holds.open_at(connection, location, sku, now, 0, OPEN_AT_MAX)
        sellable, reserved, allocated = found
        free = sellable - reserved - allocated
        is_held = sellable > 0 and free < quantity
        return {
            "location": location, "sku": sku, "sellable": sellable, "reserved": reserved,
            "allocated": allocated, "free": free,
            "warning": "last_units_are_held" if is_held else None, "holds": held,
        }  # fmt: skip

    async def extend(self, hold_id: str, extend: Extend) -> Hold | None:
        """The hold ends later, or earlier; one that has ended already stays as it is.

        Raises EndedError and UnavailableError.
        """
        until = self._end_of(extend)
        if until is None:
            held = await self.read(hold_id)
            places = {one.location for line in held.lines for one in line.held} if held else set()
            if not places:
                return held
            until = await self._hours.end_at(places, self._clock.now())

        async def work(connection: Connection) -> None:
            await settling.extend(connection, self._clock, hold_id, until)

        return await self._change(hold_id, work)

    async def release(self, hold_id: str) -> Hold | None:
        """The hold's units are free again; one that has ended already stays as it is."""

        async def work(connection: Connection) -> None:
            await settling.release(connection, self._clock, hold_id)

        return await self._change(hold_id, work)

    async def confirm(self, hold_id: str, confirm: Confirm) -> Hold | Conflict | None:
        """The hold becomes lines of an order; a conflict if it has ended, or is another order's.

        Confirming once more for the same order changes nothing.
        """
        keys = [(confirm.order_id, line_id) for line_id in confirm.line_ids]

        async def work(connection: Connection) -> None:
            rows = (await holds.find(connection, [hold_id])).get(hold_id, [])
            if not rows or _is_confirmed_as(rows, keys):
                return
            still = [row for row in rows if row["settled_at"] is None]
            lines = {row["line"] for row in rows}
            if not still or len(lines) != len(keys) or len(set(keys)) != len(keys):
                raise NotHeldError
            await settling.confirm(connection, self._clock, hold_id, still, keys)

        try:
            return await self._change(hold_id, work)
        except NotHeldError:
            return Conflict()

    async def _change(
        self, hold_id: str, work: Callable[[Connection], Awaitable[None]]
    ) -> Hold | None:
        """Change a hold in one transaction, and say how it stands then."""

        async def once() -> Sequence[asyncpg.Record] | None:
            async with self._pool.acquire(timeout=5) as connection:
                async with connection.transaction():
                    await work(connection)
                return (await holds.find(connection, [hold_id])).get(hold_id)

        rows = await retried(once)
        self._woken()
        return None if rows is None else self._told(hold_id, rows)

    def _end_of(self, ends: Until) -> datetime | None:
        now = self._clock.now()
        if ends.ttl_seconds is not None:
            return now + timedelta(seconds=ends.ttl_seconds)
        if ends.until is not None and ends.until <= now:
            raise EndedError
        return ends.until

    def _told(self, hold_id: str, rows: Sequence[asyncpg.Record]) -> Hold:
        names: dict[int, str] = {row["line"]: row["kit_sku"] or row["sku"] for row in rows}
        skus = [names[line] for line in sorted(names)]
        state = self._state(rows)
        is_no_show = state is HoldState.EXPIRED and rows[0]["purpose"] == Purpose.IN_STORE
        reason = EndReason.NO_SHOW if is_no_show else None
        return _hold(hold_id, state, outcome_of(rows), skus, reason)

    def _state(self, rows: Sequence[asyncpg.Record]) -> HoldState:
        """How a hold stands now: what is due has expired, whether or not it is settled yet."""
        held = [row for row in rows if row["outcome"] != "refused"]
        if not held:
            return HoldState.REFUSED
        if held[0]["outcome"] is not None:
            return HoldState(held[0]["outcome"])
        until = held[0]["held_until"]
        is_over = until is not None and until <= self._clock.now()
        return HoldState.EXPIRED if is_over else HoldState.HELD


def _reserve_of(hold_id: str, request: HoldRequest, until: datetime | None) -> Reserve:
    told = request.beneficiary
    return Reserve(
        hold_id=hold_id,
        digest=_digest(request),
        purpose=request.purpose.value,
        channel=request.channel,
        method=None if request.method is None else request.method.value,
        beneficiary=None if told is None else told.encode().decode(),
        whom=_whom(told, request.channel),
        until=until,
        takes_what_there_is=request.partial,
        may_wait=request.may_wait,
        wishes=tuple(
            [
                Wish(line.sku, line.quantity, tuple(dict.fromkeys(line.locations)), line.may_split)
                for line in request.lines
            ]
        ),
    )


def _digest(request: HoldRequest) -> bytes:
    """What tells two requests under one id apart, on whatever way the id and they have come."""
    told = request.__pydantic_serializer__.to_json(
        request, by_alias=True, exclude_none=True, exclude=BESIDE
    )
    return blake2b(told, digest_size=16).digest()


def _whom(told: Beneficiary | None, channel: str | None) -> Whom:
    """The request's own channel is whom it is for where its beneficiary names none."""
    if told is None:
        return Whom(channel)
    return Whom(told.channel or channel, told.customer_ref, told.order_id)


def _hold(
    hold_id: str,
    state: HoldState,
    outcome: Outcome,
    skus: Sequence[str],
    reason: EndReason | None = None,
) -> Hold:
    told = {
        "hold_id": hold_id,
        "state": state,
        "until": None if state is HoldState.REFUSED else outcome.until,
        "reason": reason,
        "lines": tuple(
            [
                {"sku": sku, "held": tuple([_held(*one) for one in line.in_kits().items()]),
                 "waiting": line.waiting or None, "promised_at": line.promised_at,
                 "refused": None if line.refusal is None else _refused(line.refusal)}
                for sku, line in zip(skus, outcome.lines, strict=True)
            ]
        ),
    }  # fmt: skip
    return Hold.model_validate(told)


def _held(location: str, quantity: int) -> dict[str, object]:
    return {"location": location, "quantity": quantity}


def _refused(refusal: Refusal) -> dict[str, object]:
    reason = RefusalReason(refusal.reason.value)
    return {"reason": reason, "quantity": refusal.quantity, "possible": refusal.possible}


def _is_confirmed_as(rows: Sequence[asyncpg.Record], keys: Sequence[tuple[str, str]]) -> bool:
    confirmed = [row for row in rows if row["outcome"] == "confirmed"]
    return bool(confirmed) and all(
        row["line"] < len(keys) and (row["order_id"], row["line_id"]) == keys[row["line"]]
        for row in confirmed
    )
