"""House-keeping: order lines and supply orders that are over are forgotten after a while."""

import asyncio
import logging
from datetime import timedelta

from services.availability.repository import lines
from services.availability.repository.supply import SUPPLY
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

# A state that comes this late would have to have been held up in a frozen process for so long.
KEEP = timedelta(days=7)
SLICE = 1_000
PAUSE_SECONDS = 3_600.0


async def keep_house(pool: Pool, clock: Clock, closing: asyncio.Event) -> None:
    """Once an hour, until told to close."""
    while not closing.is_set():
        try:
            await forget_settled(pool, clock, closing)
        except TRANSIENT as error:
            log.warning("lines not pruned yet", extra={"action": "retry", "reason": repr(error)})
        await wait_for_event(closing, PAUSE_SECONDS)


async def forget_settled(pool: Pool, clock: Clock, closing: asyncio.Event) -> int:
    """Forget what has been settled for long, in slices; returns how many lines and orders."""
    total, before = 0, clock.now() - KEEP
    for prune in (lines.prune, SUPPLY.prune):
        count = SLICE
        while count == SLICE and not closing.is_set():
            async with pool.acquire(timeout=5) as connection:
                count = await prune(connection, before, SLICE)
            total += count
    return total
