"""Gauges that are read from the database, now and then and by one worker of a service."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

from prometheus_client import Gauge

from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.waiting import wait_for_event

Read = Callable[[Connection], Awaitable[int]]


async def measure(
    pool: Pool,
    gauges: tuple[tuple[Gauge, Read], ...],
    closing: asyncio.Event,
    *,
    is_first: Callable[[], bool],
    every_seconds: float = 10.0,
) -> None:
    """Set each gauge until told to close: to what is read where this worker is the first of its
    service, which is whoever holds partition 0, else to 0, so that sums over workers are right.

    A gauge stands while PostgreSQL is away; a probe says that it is.
    """
    while not await wait_for_event(closing, every_seconds):
        for gauge, read in gauges:
            if not is_first():
                gauge.set(0)
                continue
            with suppress(*TRANSIENT):
                async with pool.acquire(timeout=5) as connection:
                    gauge.set(await read(connection))
