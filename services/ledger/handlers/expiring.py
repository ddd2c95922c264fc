"""Holds whose time is over, settled every 200 ms by whichever worker comes first."""

import asyncio
import logging
from collections.abc import Callable

from services.ledger.repository import holds
from services.ledger.repository.lines import lock_levels
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RETRY_SECONDS = 0.5
SLICE = 500
CAME_SECONDS = 1.0


class Expiring:
    """Settles what is due, the longest overdue first, in slices that others hardly wait for.

    Nobody depends on it for a right answer: a decision settles what is due on the rows that it
    has locked, and reads subtract it.
    """

    def __init__(
        self, pool: Pool, clock: Clock, closing: asyncio.Event, *, woken: Callable[[], None]
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._closing = closing
        self._woken = woken
        self._latest: int | None = None
        self._came_at: float | None = None

    def has_company(self) -> bool:
        """Did somebody ask to hold units in the last second? Then batches are to be short."""
        came = self._came_at
        return came is not None and self._clock.monotonic() - came < CAME_SECONDS

    async def run(self) -> None:
        """Work until told to close."""
        while not self._closing.is_set():
            settled = 0
            try:
                settled = await self.turn()
            except TRANSIENT as error:
                log.warning("holds wait", extra={"action": "expiry_waits", "reason": repr(error)})
                await wait_for_event(self._closing, RETRY_SECONDS)
            await wait_for_event(self._closing, 0.0 if settled >= SLICE else POLL_SECONDS)

    async def turn(self) -> int:
        """Settle one slice of what is due; returns how many parts were settled."""
        settled = 0
        async with self._pool.acquire(timeout=5) as connection:
            latest, is_due = await holds.look(connection, self._clock.now())
            self._note(latest)
            if not is_due:
                return 0
            async with connection.transaction():
                if not await holds.may_sweep(connection):
                    return 0  # another worker is at it
                levels = await holds.due_levels(connection, self._clock.now(), SLICE)
                if levels:
                    await lock_levels(connection, levels)
                    settled = await holds.expire(connection, levels, self._clock.now(), SLICE)
        if settled:
            self._woken()
            log.info("holds expired", extra={"action": "holds_expired", "holds": settled})
        return settled

    def _note(self, latest: int) -> None:
        if self._latest is not None and latest > self._latest:
            self._came_at = self._clock.monotonic()
        self._latest = latest
