"""What every process that consumes tells of itself: its readiness checks and its gauges."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Protocol

from aiokafka import TopicPartition

from shared.postgres.connecting import TRANSIENT
from shared.runtime.lifecycle import Process
from shared.runtime.waiting import wait_for_event
from shared.telemetry.metrics import CONSUMER_LAG_MESSAGES, note_unpublished

EVERY_SECONDS = 1.0


class Watched(Protocol):
    """What a consumer shows of itself."""

    stopped_partitions: dict[str, str]
    waiting_for: str | None

    @property
    def is_ready(self) -> bool: ...
    def lag(self) -> Mapping[TopicPartition, int]: ...


def watch(
    process: Process,
    consuming: Watched,
    service: str,
    *,
    oldest_seconds: Callable[[], Awaitable[float]] | None = None,
    is_needed: bool = True,
) -> None:
    """Add the consumer's checks to `/readyz`, and its gauges once a second.

    `oldest_seconds` is the age of the oldest state that nobody was told yet, where the service has
    such states. A process that is of use without its consumer says `is_needed=False`.
    """
    health = process.health
    if is_needed:
        health.add("consumer", lambda: None if consuming.is_ready else "no partitions yet")
    health.add("partitions", lambda: "; ".join(consuming.stopped_partitions) or None)
    health.add("postgres", lambda: consuming.waiting_for)
    process.add("measure", lambda: _measure(process.closing, consuming, service, oldest_seconds))


async def _measure(
    closing: asyncio.Event,
    consuming: Watched,
    service: str,
    oldest_seconds: Callable[[], Awaitable[float]] | None,
) -> None:
    """Gauges stand while PostgreSQL is away; the probe says that it is."""
    lag = CONSUMER_LAG_MESSAGES.labels(service)
    while not await wait_for_event(closing, EVERY_SECONDS):
        lag.set(sum(consuming.lag().values()))
        if oldest_seconds is not None:
            with suppress(*TRANSIENT):
                note_unpublished(service, await oldest_seconds())
