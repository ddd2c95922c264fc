"""Gauges that are read from the database, now and then and by one worker of a service."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from prometheus_client import Gauge

from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.waiting import wait_for_event

Read = Callable[[Connection], Awaitable[int]]
ReadByLabels = Callable[[Connection], Awaitable[Mapping[tuple[str, ...], int]]]


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


async def measure_by_labels(
    pool: Pool,
    gauge: Gauge,
    read: ReadByLabels,
    closing: asyncio.Event,
    *,
    is_first: Callable[[], bool],
    every_seconds: float = 15.0,
) -> None:
    """Set a gauge with labels until told to close: to what one statement reads where this worker is
    the first of its service; the others tell nothing. What is not read any more is not told.
    """
    while not await wait_for_event(closing, every_seconds):
        if not is_first():
            gauge.clear()
            continue
        with suppress(*TRANSIENT):
            async with pool.acquire(timeout=5) as connection:
                found = await read(connection)
            gauge.clear()
            for labels, value in found.items():
                gauge.labels(*labels).set(value)
