"""Waiting messages come back by themselves when what they wait for becomes known."""

import asyncio
import logging

from services.ledger.handlers.batch import LedgerHandler
from services.ledger.repository import parking
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

SLICE = 500


class Releasing:
    """Looks in a statement of its own after every commit that kept a message or made a name known,
    so that neither can miss the other; and once in a while, for what another process did.
    """

    def __init__(
        self, handler: LedgerHandler, pool: Pool, closing: asyncio.Event, *, sweep_seconds: float
    ) -> None:
        self._handler = handler
        self._pool = pool
        self._closing = closing
        self._sweep_seconds = sweep_seconds
        self._woken = asyncio.Event()

    def wake(self) -> None:
        """Something was kept, or became known."""
        self._woken.set()

    async def run(self) -> None:
        """Release until told to close."""
        while not self._closing.is_set():
            await self._wait()
            self._woken.clear()
            try:
                await self.release()
            except TRANSIENT as error:
                log.warning(
                    "could not release waiting messages",
                    extra={"action": "release_retry", "reason": repr(error)},
                )
                await wait_for_event(self._closing, 1.0)

    async def release(self) -> int:
        """Replay everything that is known now; returns how many messages."""
        total = 0
        while not self._closing.is_set():
            async with self._pool.acquire(timeout=5) as connection:
                ids = await parking.known_now(connection, SLICE)
            if not ids or not (count := await self._handler.replay(ids)):
                return total
            total += count
        return total

    async def _wait(self) -> None:
        waits = [
            asyncio.ensure_future(self._woken.wait()),
            asyncio.ensure_future(self._closing.wait()),
        ]
        await asyncio.wait(waits, timeout=self._sweep_seconds, return_when=asyncio.FIRST_COMPLETED)
        for wait in waits:
            wait.cancel()
