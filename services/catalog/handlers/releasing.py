"""Policies that tied are tried again when policies change: a rival may have ended."""

import asyncio
import logging

from services.catalog.handlers.admitting import TIE
from services.catalog.handlers.batch import CatalogHandler
from services.catalog.repository.parking import PARKING
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

TRIED_MAX = 500
POLL_SECONDS = 1.0


class Releasing:
    """Replays what is parked as a tie, once after each change and once at the start."""

    def __init__(
        self, pool: Pool, handler: CatalogHandler, changed: asyncio.Event, closing: asyncio.Event
    ) -> None:
        self._pool = pool
        self._handler = handler
        self._changed = changed
        self._closing = closing

    async def run(self) -> None:
        """Until told to close."""
        self._changed.set()
        while not self._closing.is_set():
            if await wait_for_event(self._changed, POLL_SECONDS) and not self._closing.is_set():
                await self._turn()

    async def _turn(self) -> None:
        self._changed.clear()
        try:
            await self.release()
        except TRANSIENT as error:
            log.warning(
                "ties could not be tried again yet",
                extra={"action": "release_retry", "reason": repr(error)},
            )
            self._changed.set()
            await wait_for_event(self._closing, POLL_SECONDS)

    async def release(self) -> int:
        """Try the oldest ties again; those that still tie are parked as before."""
        async with self._pool.acquire(timeout=5) as connection:
            ids = await PARKING.open_ids(connection, reason=TIE, limit=TRIED_MAX)
        return await self._handler.replay(self._pool, ids) if ids else 0
