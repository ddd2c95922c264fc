"""Months of movements: made ahead, closed and detached when they are no longer kept."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from datetime import UTC, date, timedelta

from services.ledger.repository import closing, maintenance
from services.ledger.repository.supply import SUPPLY
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

PAUSE_SECONDS = 3_600.0
RETRY_SECONDS = 10.0
LEVELS_PER_SLICE = 5_000
SUPPLY_SLICE = 1_000


class Maintaining:
    """Once an hour. Every step may be done twice, and by several workers at once."""

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        closing_: asyncio.Event,
        *,
        months_ahead: int,
        keep_months: int,
        keep_supply: timedelta,
        closed: Callable[[], Awaitable[None]],
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._closing = closing_
        self._months_ahead = months_ahead
        self._keep_months = keep_months
        self._keep_supply = keep_supply
        self._closed = closed

    async def run(self) -> None:
        """Keep the months until told to close."""
        while not self._closing.is_set():
            pause = PAUSE_SECONDS
            try:
                await self.turn()
            except TRANSIENT as error:  # the catch-all partition takes what comes meanwhile
                log.warning("months not kept yet", extra={"action": "retry", "reason": repr(error)})
                pause = RETRY_SECONDS
            await wait_for_event(self._closing, pause)

    async def turn(self) -> None:
        """Make months ahead; close and detach those from before the ones that are kept; forget
        supply orders that have long been over.
        """
        now = self._clock.now()
        today = now.astimezone(UTC).date()
        async with self._pool.acquire(timeout=5) as connection:
            await maintenance.make_months(connection, today, self._months_ahead)
            if self._keep_months:
                await self._close(connection, first_kept(today, self._keep_months))
            while await SUPPLY.prune(connection, now - self._keep_supply, SUPPLY_SLICE):
                if self._closing.is_set():
                    break
        await self._closed()  # also what another worker closed, or an earlier life of this one

    async def _close(self, connection: Connection, first_month: date) -> None:
        held = (await closing.horizon(connection)).first_month
        if held is None or held < first_month:
            await closing.raise_horizon(connection, first_month)
            await self._closed()
        for month in await closing.attached_before(connection, first_month):
            while await closing.close_slice(connection, month, LEVELS_PER_SLICE):
                if self._closing.is_set():
                    return
            await closing.detach(connection, month)
            log.info(
                "month closed",
                extra={"action": "month_closed", "month": month.isoformat(),
                       "table": closing.table_of(month)},
            )  # fmt: skip


def first_kept(today: date, keep_months: int) -> date:
    """The first day of the oldest month that is kept beside the present one."""
    months = today.year * 12 + today.month - 1 - keep_months
    return date(months // 12, months % 12 + 1, 1)
