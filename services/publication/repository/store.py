"""Publication's database as its handler, lanes and interface see it."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import asyncpg

from services.publication.domain.guarding import BlastRadius
from services.publication.domain.unheard import Basis
from services.publication.domain.wanting import Desired
from services.publication.repository import (
    attempts,
    awaiting,
    basing,
    budgets,
    folding,
    hearing,
    leases,
    pausing,
    publishing,
    referring,
    resyncs,
)
from services.publication.repository.attempts import Call, Held, Recorded, Turn
from services.publication.repository.awaiting import OpenAttempt
from services.publication.repository.folding import Maxima, Touched
from services.publication.repository.parking import PARKING
from services.publication.repository.resyncs import Resync
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import Refusal

if TYPE_CHECKING:  # asyncpg's own classes take no parameter at run time
    from asyncpg.pool import PoolConnectionProxy


class Transaction:
    """One batch's transaction: fold, decide, record."""

    def __init__(self, connection: Connection, maxima: Maxima) -> None:
        self._connection = connection
        self._maxima = maxima

    async def fold_references(
        self,
        batch: Batch,
        references: referring.ReferenceColumns,
        now: datetime,
    ) -> tuple[list[str], list[int]]:
        """Move the position and keep the records; the channels and listings they touch.

        Raises Fenced.
        """
        if not await folding.hold_fence(self._connection, fence_of(batch)):
            raise Fenced
        return await referring.fold_references(self._connection, references, now)

    async def fold_figures(
        self, batch: Batch | None, figures: folding.FigureColumns
    ) -> list[Touched]:
        """Keep what is newer; the listings it touches. The position moves unless it has moved.

        Raises Fenced.
        """
        fence = folding.NO_FENCE if batch is None else fence_of(batch)
        folded = await folding.fold_figures(self._connection, fence, figures, self._maxima, None)
        if folded is None:
            raise Fenced
        return folded.touched

    async def listings(self, listing_ids: Sequence[int]) -> list[Touched]:
        """The listings as this transaction sees them."""
        rows = await self._connection.fetch(folding.BY_ID, list(listing_ids))
        return [folding.touched_of(row, self._maxima) for row in rows]

    async def record(
        self,
        held: Sequence[Held],
        calls: Sequence[tuple[Held, Call]],
        satisfied: Sequence[Desired],
        shadowed: Sequence[Desired],
        wanted: Sequence[Desired],
        shadow_id: UUID,
    ) -> Recorded:
        """Write what was decided."""
        return await attempts.record(
            self._connection, held, calls, satisfied, shadowed, wanted, shadow_id
        )

    async def hear(
        self, lines: hearing.LineColumns, outcomes: hearing.OutcomeColumns, after_seconds: float
    ) -> None:
        """Keep orders and outcomes."""
        await hearing.tell_lines(self._connection, lines)
        await hearing.tell_outcomes(self._connection, outcomes, after_seconds)

    async def hand_over(self, desired: Sequence[Desired]) -> None:
        """Let the channels' owners look at listings again."""
        await leases.hand_over(self._connection, desired)

    async def park(self, refusals: Sequence[Refusal]) -> None:
        """Keep messages that cannot be applied, each with its reason."""
        await PARKING.park(self._connection, refusals)


# What goes this way looks up a few rows by key in tables that may have been filled a moment ago and
# never analysed: a planner that takes them for small reads them whole, every time.
BY_KEY = """
set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
set plan_cache_mode = force_generic_plan
"""


class Kept:
    """One connection of the pool for one user at a time, kept: a pool resets what it gets back.

    On the way of an event that reset is a round trip too many.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._lock = asyncio.Lock()
        self._connection: PoolConnectionProxy[asyncpg.Record] | None = None

    @asynccontextmanager
    async def use(self) -> AsyncIterator[Connection]:
        """The connection, made anew where it was lost."""
        async with self._lock:
            if self._connection is None or _is_lost(self._connection):
                await self.give_back()
                connection = await self._pool.acquire(timeout=5)
                self._connection = connection
                await connection.execute(BY_KEY)
            yield self._connection

    async def give_back(self) -> None:
        """Return it to the pool."""
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await self._pool.release(connection, timeout=2)


def _is_lost(connection: "PoolConnectionProxy[asyncpg.Record]") -> bool:
    """A pool takes a connection that broke back by itself; even to ask it is an error then."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:
        return True


class Store:
    """Publication's statements: those on an event's way on kept connections, others on the pool's.

    Close it before its pool.
    """

    def __init__(self, pool: Pool, maxima: Maxima) -> None:
        self._pool = pool
        self._maxima = maxima
        self._folding = Kept(pool)
        self._turning: dict[str, Kept] = {}

    async def close(self) -> None:
        """Give the kept connections back."""
        for kept in (self._folding, *self._turning.values()):
            await kept.give_back()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Commits at the end, rolls back on any error."""
        async with self._folding.use() as connection, connection.transaction():
            yield Transaction(connection, self._maxima)

    def within(self, connection: Connection) -> Transaction:
        """Over a connection that somebody else has begun a transaction on."""
        return Transaction(connection, self._maxima)

    async def fold(
        self, batch: Batch, figures: folding.FigureColumns, ownership: folding.Ownership
    ) -> folding.Folded:
        """A batch of figures alone, in one statement that hands over what is not ours.

        Raises Fenced.
        """
        async with self._folding.use() as connection:
            folded = await folding.fold_figures(
                connection, fence_of(batch), figures, self._maxima, ownership
            )
        if folded is None:
            raise Fenced
        return folded

    async def record(
        self,
        held: Sequence[Held],
        calls: Sequence[tuple[Held, Call]],
        satisfied: Sequence[Desired],
        shadowed: Sequence[Desired],
        shadow_id: UUID,
    ) -> Recorded:
        """Write what was decided of such a batch; all that waits is in its lane's queue."""
        async with self._folding.use() as connection:
            return await attempts.record(
                connection, held, calls, satisfied, shadowed, (), shadow_id
            )

    async def take_turn(self, held: Held, turn: Turn, call: Call | None) -> frozenset[int] | None:
        """Close, note and open; the listings opened, or None if the lease is gone."""
        kept = self._turning.setdefault(held.channel, Kept(self._pool))
        async with kept.use() as connection:
            return await attempts.take_turn(connection, held, turn, call)

    async def open_attempts(self, channel: str) -> list[OpenAttempt]:
        """What an earlier owner left open."""
        async with self._pool.acquire(timeout=5) as connection:
            return await awaiting.open_attempts(connection, channel)

    async def keep_receipt(
        self, held: Held, call_id: UUID, listing_ids: Sequence[int], receipt: str, seconds: float
    ) -> bool:
        """Note what an accepted call is asked for with; False: the lease is gone."""
        async with self._pool.acquire(timeout=5) as connection:
            return await awaiting.keep_receipt(
                connection, held, call_id, listing_ids, receipt, seconds
            )

    async def unheard_since(self, channel: str, before: float, limit: int) -> list[int]:
        """Listings of which something has been unheard since then."""
        async with self._pool.acquire(timeout=5) as connection:
            return await basing.unheard_since(connection, channel, before, limit)

    async def rebase(self, held: Held, bases: Mapping[int, Basis]) -> None:
        """Keep new bases of listings."""
        async with self._pool.acquire(timeout=5) as connection:
            await basing.rebase(connection, held.channel, held.epoch, bases)

    async def hear(
        self,
        batch: Batch,
        lines: hearing.LineColumns,
        outcomes: hearing.OutcomeColumns,
        after_seconds: float,
    ) -> None:
        """Keep a batch of orders and outcomes, and move its positions. Raises Fenced."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            if not await folding.hold_fence(connection, fence_of(batch)):
                raise Fenced
            await self.within(connection).hear(lines, outcomes, after_seconds)

    async def count_heard(
        self,
        channels: Sequence[str],
        limit: int,
        *,
        blind: Sequence[str] = (),
        counting: hearing.Counting = hearing.COUNTING,
    ) -> int:
        """Count the order lines that are due, of `blind` channels as those cannot compare."""
        async with self._pool.acquire(timeout=5) as connection:
            return await hearing.count_heard(connection, channels, limit, blind, counting)

    async def lags(self, channels: Sequence[str]) -> dict[str, list[float]]:
        """What each channel's latest orders took until they counted, the newest first."""
        async with self._pool.acquire(timeout=5) as connection:
            return await hearing.lags(connection, channels)

    async def spent_today(self, channel: str, day: datetime) -> dict[int, int]:
        """How many calls each listing had since the day began."""
        async with self._pool.acquire(timeout=5) as connection:
            return await budgets.spent_since(connection, channel, day)

    async def seconds_since_call(self, channel: str, within_seconds: float) -> float | None:
        """How long ago the channel was called last; None: not within so many seconds."""
        async with self._pool.acquire(timeout=5) as connection:
            return await budgets.seconds_since_call(connection, channel, within_seconds)

    async def pause(self, channel: str, first_resync: int | None, now: datetime) -> None:
        """Tell a channel nothing from now on, or from the end of a resync on."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await pausing.pause(connection, channel, first_resync, now)

    async def resume(self, channel: str, now: datetime) -> bool:
        """Let a channel be told again; says whether it was paused."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            return await pausing.resume(connection, channel, now)

    async def is_paused(self, channel: str) -> bool:
        """Is there a pause, begun or waiting for its resync?"""
        async with self._pool.acquire(timeout=5) as connection:
            return await pausing.is_paused(connection, channel)

    async def resolve_channel(self, channel: str, now: datetime) -> None:
        """Put in force what holds for a channel now."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await referring.resolve_channels(connection, [channel], now)

    async def listings(self, listing_ids: Sequence[int]) -> list[Touched]:
        """Listings that have a figure, by id."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(folding.BY_ID, list(listing_ids))
        return [folding.touched_of(row, self._maxima) for row in rows]

    async def astray(self, channel: str, limit: int) -> list[int]:
        """Listings of a channel that show something else than they should, and wait for nothing."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(folding.ASTRAY, channel, self._maxima.get(channel), limit)
        return [row["listing_id"] for row in rows]

    async def listings_after(self, channel: str, listing_id: int, limit: int) -> list[Touched]:
        """A slice of a channel's listings that have a figure, in the order of their ids."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(folding.AFTER, channel, listing_id, limit)
        return [folding.touched_of(row, self._maxima) for row in rows]

    async def take_lease(self, channel: str, owner: str, seconds: float) -> int | None:
        """The epoch under which the channel is ours, or None."""
        async with self._pool.acquire(timeout=5) as connection:
            return await leases.take_lease(connection, channel, owner, seconds)

    async def renew_lease(self, channel: str, epoch: int, seconds: float) -> bool:
        """Says whether the channel is still ours."""
        async with self._pool.acquire(timeout=5) as connection:
            return await leases.renew_lease(connection, channel, epoch, seconds)

    async def give_lease_back(self, channel: str, epoch: int) -> None:
        """Let the next owner start at once."""
        async with self._pool.acquire(timeout=5) as connection:
            await leases.give_lease_back(connection, channel, epoch)

    async def take_handed(self, held: Sequence[Held]) -> Mapping[str, list[int]]:
        """What other workers folded for channels that are still ours."""
        async with self._pool.acquire(timeout=5) as connection:
            return await leases.take_handed(
                connection, [h.channel for h in held], [h.epoch for h in held]
            )

    async def resolve_due(self, now: datetime) -> tuple[list[str], list[int]]:
        """Put in force what time alone has changed; the channels and listings it touches."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            due = [r["channel"] for r in await connection.fetch(referring.DUE_CHANNELS, now)]
            rows = await connection.fetch(referring.DUE_LISTINGS, now)
            channels = await referring.resolve_channels(connection, due, now)
            listings = await referring.resolve_listings(
                connection, [r["channel"] for r in rows], [r["listing"] for r in rows], now
            )
        return channels, listings

    async def begin_resync(
        self, channel: str, radius: BlastRadius, *, is_confirmed: bool
    ) -> int | None:
        """The id of the new resync, or None while one is running."""
        async with self._pool.acquire(timeout=5) as connection:
            return await resyncs.begin_resync(
                connection, channel, radius, is_confirmed=is_confirmed
            )

    async def running_resync(self, channel: str) -> Resync | None:
        """The channel's resync, where one is running."""
        async with self._pool.acquire(timeout=5) as connection:
            return await resyncs.running_resync(connection, channel)

    async def advance_resync(self, resync_id: int, cursor_id: int | None) -> None:
        """Note how far it came; None: it is done."""
        async with self._pool.acquire(timeout=5) as connection:
            await resyncs.advance_resync(connection, resync_id, cursor_id)

    async def history(self, channel: str, sku: str, limit: int) -> list[dict[str, Any]]:
        """What was sent, the latest first."""
        async with self._pool.acquire(timeout=5) as connection:
            return await publishing.history(connection, channel, sku, limit)

    async def standing(self, channel: str, sku: str) -> list[dict[str, Any]]:
        """How each listing of a SKU stands."""
        async with self._pool.acquire(timeout=5) as connection:
            return await publishing.standing(connection, channel, sku)


def fence_of(batch: Batch) -> folding.FenceArrays:
    """The five arrays of a batch's fence, a place per slice."""
    slices = batch.slices
    return (
        [part.topic for part in slices],
        [part.partition for part in slices],
        [part.epoch for part in slices],
        [part.expected for part in slices],
        [part.next_offset for part in slices],
    )
