"""Figures that change without a message: what time makes due, what a policy reached, sweeps."""

import asyncio
import logging
from collections.abc import Callable, Sequence

from services.availability import metrics
from services.availability.handlers.assembling import parts_of
from services.availability.handlers.computing import compute
from services.availability.handlers.planning import PlanCache
from services.availability.repository import kits, reference, stock
from services.availability.repository.stock import Note, Rows
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RETRY_SECONDS = 0.5
DUE_MAX = 500
SLICE = 200
STALE_MAX = 1_000


class Recomputing:
    """Works due rows off every 200 ms, the longest overdue first, and then what they reach.

    Small slices, so that the live changes of the same SKUs wait some milliseconds at most.
    """

    def __init__(
        self,
        pool: Pool,
        plans: PlanCache,
        closing: asyncio.Event,
        *,
        committed: Callable[[Sequence[Note]], None],
    ) -> None:
        self._pool = pool
        self._plans = plans
        self._closing = closing
        self._committed = committed

    async def run(self) -> None:
        """Work until told to close."""
        while not self._closing.is_set():
            has_more = False
            try:
                has_more = await self.turn()
            except TRANSIENT as error:
                log.warning("due work waits", extra={"action": "due_waits", "reason": repr(error)})
                await wait_for_event(self._closing, RETRY_SECONDS)
            await wait_for_event(self._closing, 0.0 if has_more else POLL_SECONDS)

    async def turn(self) -> bool:
        """What is due, then a slice of what waits; says whether more waits."""
        async with self._pool.acquire(timeout=5) as connection:
            due = await self._take_due(connection)
            queued = await self._queued_slice(connection)
            stale = await self._stale_kits_slice(connection)
            swept = await self._sweep_slice(connection)
        return bool(due or queued or stale or swept)

    async def force_sweep(self, reason: str) -> None:
        """Compute and tell everything again under new versions."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await stock.begin_unread(connection, alone=True)
            await reference.ask_sweep(connection, reason, forced=True)

    async def _take_due(self, connection: Connection) -> int:
        async with connection.transaction():
            keys = await reference.take_due(connection, DUE_MAX)
            if not keys:
                return 0
            skus = [key.removeprefix("sku:") for key in keys if key.startswith("sku:")]
            await reference.queue(connection, skus)
            await kits.note_stale(connection, skus)
            if len(skus) < len(keys):
                await stock.begin_unread(connection, alone=True)
                await reference.ask_sweep(connection, "a moment was due")
        log.info("due moments taken", extra={"action": "due_taken", "keys": len(keys)})
        return len(keys)

    async def _queued_slice(self, connection: Connection) -> int:
        async with connection.transaction():
            ids = await reference.take_queued(connection, SLICE)
            if not ids:
                return 0
            rows, notes = await self._compute(connection, ids=ids)
        self._committed(notes)
        metrics.RECOMPUTED.labels("due").inc(len(rows))
        return len(ids)

    async def _stale_kits_slice(self, connection: Connection) -> int:
        async with connection.transaction():
            ids = await kits.take_stale(connection, STALE_MAX)
            if not ids:
                return 0
            rows, notes = await self._compute(connection, ids=ids)
        self._committed(notes)
        metrics.RECOMPUTED.labels("kit").inc(len(rows))
        return len(ids)

    async def _sweep_slice(self, connection: Connection) -> bool:
        async with connection.transaction():
            sweep = await reference.take_sweep(connection)
            if sweep is None:
                return False
            rows, notes = await self._compute(
                connection, after=sweep.next_sku_id, is_forced=sweep.is_forced
            )
            last = max((row.stock.sku_id for row in rows.values()), default=None)
            await reference.move_sweep(connection, sweep.sweep_id, last)
        self._committed(notes)
        metrics.RECOMPUTED.labels("sweep").inc(len(rows))
        return True

    async def _compute(
        self,
        connection: Connection,
        *,
        ids: list[int] | None = None,
        after: int = 0,
        is_forced: bool = False,
    ) -> tuple[Rows, list[Note]]:
        opened = await stock.begin_unread(connection)
        if ids is not None:
            rows = await stock.lock_by_id(connection, ids)
        else:
            rows = await stock.lock_after(connection, after, SLICE)
        if is_forced:
            for row in rows.values():
                row.stock.shown = {}
        plans = await self._plans.at(connection, opened)
        parts = await parts_of(connection, rows.values(), {})
        computed = compute(rows.values(), plans, opened, inputs_changed=is_forced, parts=parts)
        return rows, await stock.record(connection, computed.changes)
