"""Quiet: everything that was said has been heard, worked out, published and acknowledged."""

import asyncio
from collections.abc import Callable

from aiokafka import AIOKafkaConsumer

from services.cli.demo.kafka_reading import partitions_of
from services.cli.demo.repository import resting
from services.cli.exits import CommandError
from services.cli.texts import tr
from shared.postgres.connecting import Connection
from shared.runtime.clock import Clock

POLL_SECONDS = 0.1
# Quiet once may be a pause between two services; twice in a row it is none.
LOOKS = 3


class Quiet:
    """Looks at the positions, at what waits, and at the ends of the logs."""

    def __init__(self, servers: str, connection: Connection, clock: Clock) -> None:
        self._consumer = AIOKafkaConsumer(bootstrap_servers=servers)
        self._connection = connection
        self._clock = clock

    async def open(self) -> None:
        """Connect to Kafka."""
        await self._consumer.start()

    async def close(self) -> None:
        """Leave Kafka."""
        await self._consumer.stop()

    async def wait(self, seconds: float, also: Callable[[], bool] = lambda: True) -> dict[str, int]:
        """Return once nothing waits; returns what still does after `seconds`. `also` names what
        else must be so.
        """
        deadline = self._clock.monotonic() + seconds
        looks = 0
        while True:
            waiting = await self.waiting()
            looks = 0 if waiting or not also() else looks + 1
            if looks == LOOKS or self._clock.monotonic() > deadline:
                return waiting
            await asyncio.sleep(POLL_SECONDS)

    async def waiting(self) -> dict[str, int]:
        """What is unread or waits now; empty when nothing does."""
        rows = await self._connection.fetch(resting.POSITIONS)
        held = {(row["topic"], row["partition"]): row["next_offset"] for row in rows}
        names = {topic for topic, _ in held}
        ends = await self._consumer.end_offsets(partitions_of(names))
        unread = sum(
            max(0, end - held.get((one.topic, one.partition), 0)) for one, end in ends.items()
        )
        row = await self._connection.fetchrow(resting.WAITING)
        assert row is not None, "an aggregate gives a row"
        return {name: n for name, n in {"unread": unread, **dict(row)}.items() if n}


def require_quiet(waiting: dict[str, int], what: str) -> None:
    """Raises CommandError when something still waits."""
    if waiting:
        told = ", ".join(f"{name} {count}" for name, count in waiting.items())
        raise CommandError(
            tr("{what} did not come to rest: {told} still waiting.", what=what, told=told),
            tr("Read the logs with `stocktide logs`; a busy machine may need another try."),
        )
