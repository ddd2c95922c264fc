"""Order lines for later, booked when their time has come."""

import asyncio
import logging

from services.ledger.handlers.batch import LedgerHandler
from shared.postgres.connecting import TRANSIENT
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
RETRY_SECONDS = 0.5
SLICE = 200


class FallingDue:
    """Works due lines off every 200 ms, the longest overdue first; small slices, so that live
    batches that want the same levels wait for some milliseconds at most.

    The ledger owns the moment, and not orders: an accepted line is in the books from the day it
    was ordered, and only here can it be booked with the levels locked.
    """

    def __init__(self, handler: LedgerHandler, closing: asyncio.Event) -> None:
        self._handler = handler
        self._closing = closing

    async def run(self) -> None:
        """Work until told to close."""
        while not self._closing.is_set():
            booked = 0
            try:
                booked = await self._handler.book_due(SLICE)
            except TRANSIENT as error:
                log.warning("due lines wait", extra={"action": "due_waits", "reason": repr(error)})
                await wait_for_event(self._closing, RETRY_SECONDS)
            if booked:
                log.info("lines fell due", extra={"action": "lines_due", "lines": booked})
            await wait_for_event(self._closing, 0.0 if booked == SLICE else POLL_SECONDS)
