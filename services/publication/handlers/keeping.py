"""House-keeping: what the publication ledger no longer needs to know is forgotten."""

import asyncio
import logging
from datetime import datetime, timedelta

from services.publication.repository import pruning
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

SLICE = 1_000
PAUSE_SECONDS = 3_600.0


async def keep_house(
    pool: Pool, clock: Clock, keep: timedelta, closing: asyncio.Event, pause: float = PAUSE_SECONDS
) -> None:
    """Once an hour, until told to close."""
    while not closing.is_set():
        before = clock.now() - keep
        try:
            attempts = await forget_attempts(pool, before, closing)
            lines = await forget_lines(pool, before, closing)
        except TRANSIENT as error:
            log.warning("nothing pruned yet", extra={"action": "retry", "reason": repr(error)})
        else:
            log.info(
                "what is old was forgotten",
                extra={"action": "pruned", "attempts": attempts, "lines": lines},
            )
        await wait_for_event(closing, pause)


async def forget_attempts(pool: Pool, before: datetime, closing: asyncio.Event) -> int:
    """Forget closed attempts of before, slice by slice; how many."""
    total = 0
    while not closing.is_set():
        async with pool.acquire(timeout=5) as connection:
            count = await pruning.prune_attempts(connection, before, SLICE)
        total += count
        if count < SLICE:
            break
    return total


async def forget_lines(pool: Pool, before: datetime, closing: asyncio.Event) -> int:
    """Forget order lines of before, slice by slice; how many."""
    total, after = 0, pruning.FIRST
    while not closing.is_set():
        async with pool.acquire(timeout=5) as connection:
            last, count = await pruning.prune_lines(connection, before, after, SLICE)
        total += count
        if last is None:
            break
        after = last
    return total
