"""The clock by which holds begin and end: the database's, so that no two processes disagree."""

import asyncio
import logging
from datetime import datetime, timedelta

from services.ledger.repository.holds import database_now
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

PAUSE_SECONDS = 10.0


class DatabaseClock:
    """A process's own clock, put right by the database's every ten seconds."""

    def __init__(self, pool: Pool, clock: Clock, closing: asyncio.Event) -> None:
        self._pool = pool
        self._clock = clock
        self._closing = closing
        self._ahead = timedelta(0)

    def now(self) -> datetime:
        """The database's wall clock, give or take half a round trip."""
        return self._clock.now() + self._ahead

    def monotonic(self) -> float:
        """The process's own spans."""
        return self._clock.monotonic()

    async def look(self) -> None:
        """Learn how far the database's clock is ahead of ours."""
        async with self._pool.acquire(timeout=5) as connection:
            began = self._clock.monotonic()
            told = await database_now(connection)
            took = self._clock.monotonic() - began
        self._ahead = told + timedelta(seconds=took / 2) - self._clock.now()

    async def run(self) -> None:
        """Look again and again until told to close."""
        while not self._closing.is_set():
            try:
                await self.look()
            except TRANSIENT as error:  # what was learnt last stays good for a while
                log.warning("clock not read", extra={"action": "retry", "reason": repr(error)})
            await wait_for_event(self._closing, PAUSE_SECONDS)
