"""How far the services have come, asked cheaply: positions, unpublished rows, versions in Redis."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from types import TracebackType
from typing import Self

from aiokafka import AIOKafkaConsumer, TopicPartition
from redis.asyncio import Redis

from benchmarks.invariants import prefix_of, versions_in_redis
from shared.contracts.topics import REFERENCE_DATA, STOCK_LEVELS, STOCK_MOVEMENTS, Topic
from shared.postgres.connecting import Connection, connect
from shared.runtime.infrastructure import Addresses

POLL_SECONDS = 0.05  # looking on costs the measured processes their cores


class Overdue(Exception):  # noqa: N818  (it names what happened)
    """Something that a run waits for did not come in time."""


class Progress:
    """One connection to each server, for looking on. Nothing is changed through it."""

    def __init__(self, addresses: Addresses) -> None:
        self._addresses = addresses
        self._consumer = AIOKafkaConsumer(bootstrap_servers=addresses.kafka)
        self.redis = Redis.from_url(addresses.redis)
        self._postgres: Connection | None = None
        self._prefix: str | None = None

    async def __aenter__(self) -> Self:
        await self._consumer.start()
        self._postgres = await connect(
            self._addresses.postgres, application="stocktide-benchmarks", statement_timeout="60s"
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        await self._consumer.stop()
        await self.redis.aclose()
        await self.postgres.close()

    @property
    def postgres(self) -> Connection:
        """The connection, open inside `async with`."""
        assert self._postgres is not None, "use it in `async with`"
        return self._postgres

    async def ends(self, topic: Topic) -> dict[int, int]:
        """The end of every partition's log."""
        partitions = [TopicPartition(topic.name, p) for p in range(topic.partitions)]
        found = await self._consumer.end_offsets(partitions)
        return {tp.partition: end for tp, end in found.items()}

    async def positions(self, schema: str, topic: Topic) -> dict[int, int]:
        """The next offset of every partition that a service has claimed."""
        rows = await self.postgres.fetch(
            f"select partition, next_offset from {schema}.positions where topic = $1", topic.name
        )
        return {row[0]: row[1] for row in rows}

    async def epochs(self, schema: str, topic: Topic) -> dict[int, tuple[str, int]]:
        """Owner and epoch of every partition that a service has claimed."""
        rows = await self.postgres.fetch(
            f"select partition, owner, epoch from {schema}.positions where topic = $1", topic.name
        )
        return {row[0]: (row[1], row[2]) for row in rows}

    async def has_read(self, schema: str, topic: Topic) -> bool:
        """Whether the service has applied the topic to the end."""
        return reached(await self.positions(schema, topic), await self.ends(topic))

    async def owners(self, schema: str, topic: Topic) -> int:
        """How many processes share a topic, 0 while a partition has none."""
        held = await self.epochs(schema, topic)
        return len({owner for owner, _ in held.values()}) if len(held) == topic.partitions else 0

    async def has_nothing_unpublished(self, schema: str) -> bool:
        """Whether the relays have told everything."""
        rows = await self.postgres.fetch(f"select from {schema}.unpublished limit 1")
        return not rows

    async def knows_reference_data(self) -> bool:
        """Whether ledger and availability have folded all of it, and computed what it changes."""
        for schema in ("ledger", "availability"):
            if not await self.has_read(schema, REFERENCE_DATA):
                return False
        open_work = await self.postgres.fetchval(
            "select (select count(*) from availability.sweeps)"
            " + (select count(*) from availability.recompute)"
        )
        return bool(open_work == 0)

    async def is_drained(self, ends: Mapping[int, int]) -> bool:
        """Whether the last event is in the books, in the view, and in Redis.

        `ends` are those of the movements, which nobody adds to any more.
        """
        return (
            reached(await self.positions("ledger", STOCK_MOVEMENTS), ends)
            and await self.has_nothing_unpublished("ledger")
            and await self.has_read("availability", STOCK_LEVELS)
            and await self.has_nothing_unpublished("availability")
            and await self.redis_shows_the_versions()
        )

    async def redis_shows_the_versions(self) -> bool:
        """Whether Redis has every SKU in the version of availability's Postgres."""
        rows = await self.postgres.fetch("select sku, version from availability.stock")
        if not rows:
            return False
        self._prefix = self._prefix or await prefix_of(self.redis, rows[0][0])
        if self._prefix is None:
            return False
        versions = await versions_in_redis(self.redis, self._prefix, [row[0] for row in rows])
        return versions == [row[1] for row in rows]

    async def prefix(self) -> str:
        """What stands before a SKU in Redis' keys; empty where Redis has none."""
        return self._prefix or ""


def reached(positions: Mapping[int, int], ends: Mapping[int, int]) -> bool:
    """Whether every partition was applied to its end; one that nobody claimed was not."""
    return all(positions.get(partition, -1) >= end for partition, end in ends.items())


async def until(
    what: str, holds: Callable[[], Awaitable[bool]], *, seconds_max: float,
    alive: Callable[[], None], pause: float = POLL_SECONDS,
) -> float:  # fmt: skip
    """Poll until it holds; returns the moment (perf_counter) at which it was seen to.

    `alive` raises when a process that is waited for has ended. Raises Overdue.
    """
    deadline = time.perf_counter() + seconds_max
    while not await holds():
        alive()
        if time.perf_counter() > deadline:
            raise Overdue(f"{what} did not come within {seconds_max:.0f} s")
        await asyncio.sleep(pause)
    return time.perf_counter()
