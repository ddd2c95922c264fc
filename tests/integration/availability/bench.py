"""Availability without a broker: the real handlers on a real database and Redis, fed by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import services.availability
from services.availability import metrics
from services.availability.domain.views import Shown
from services.availability.handlers.batch import AvailabilityHandler
from services.availability.handlers.mirroring import Mirror
from services.availability.handlers.planning import PlanCache
from services.availability.handlers.recomputing import Recomputing
from services.availability.handlers.remembering import RowMemory
from services.availability.repository import packing
from services.availability.repository.parking import PARKING
from services.availability.repository.progress import ProgressRows
from services.availability.repository.publishing import DirtyStates
from services.availability.repository.stock import Note
from services.availability.repository.supply import SUPPLY
from shared.cache.connecting import open_redis
from shared.cache.generations import GenerationMark
from shared.cache.versioned import Versioned, VersionedStrings
from shared.contracts.topics import ALLOCATIONS, REFERENCE_DATA, STOCK_LEVELS, SUPPLY_ORDERS
from shared.kafka.handling import Handler
from shared.kafka.producing import Outgoing
from shared.kafka.supplying import SupplyHandler
from shared.postgres.connecting import Connection, Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.postgres.positions import Claim, Positions
from shared.runtime.clock import ManualClock
from shared.testing.messages import NOON, a_batch, a_message

MIGRATIONS = Path(services.availability.__file__).parent / "migrations"
PARTITIONS = range(STOCK_LEVELS.partitions)

WEB: dict[str, object] = {"kind": "channel", "channel": "web", "pool": ["L1", "L2", "L3"]}


async def migrate_availability(dsn: str) -> None:
    """The set-up of availability's template database."""
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, "availability", MIGRATIONS)
    finally:
        await connection.close()


def a_level(sku: str, location: str, sellable: int, **overrides: object) -> dict[str, object]:
    """A stock level as the ledger tells it."""
    level: dict[str, object] = {
        "sku": sku, "location": location, "sellable": sellable, "version": 1,
        "recorded_at": NOON.isoformat(),
    }  # fmt: skip
    return level | overrides


def a_policy(policy_id: str, term: str, value: int, **overrides: object) -> dict[str, object]:
    """A policy as the catalogue tells it; its scope is the keyword `scope`."""
    policy: dict[str, object] = {
        "kind": "policy", "policy_id": policy_id, "term": term, "value": value,
    }  # fmt: skip
    return policy | overrides


@dataclass(slots=True)
class AvailabilityBench:
    """Tells availability things and asks what it made of them."""

    handler: AvailabilityHandler
    recomputing: Recomputing
    mirror: Mirror
    progress: ProgressRows
    pool: Pool
    positions: Positions
    strings: VersionedStrings
    mark: GenerationMark
    clock: ManualClock
    topic: DirtyStates
    partition: int = 0
    claims: dict[str, Claim] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)

    async def tell(
        self,
        topic: str,
        *payloads: Mapping[str, object] | bytes,
        handler: AvailabilityHandler | SupplyHandler | None = None,
    ) -> None:
        """Apply one batch from this worker's partition of a topic."""
        reader: Handler[Any] = handler or self.handler
        if topic not in self.claims:
            claim = await self.positions.claim(topic, self.partition, first_offset=0)
            self.claims[topic] = claim
        expected = self.offsets.get(topic, self.claims[topic].next_offset)
        messages = [
            a_message(payload, offset=expected + i, topic=topic, partition=self.partition)
            for i, payload in enumerate(payloads)
        ]
        batch = a_batch(messages, epoch=self.claims[topic].epoch, expected=expected)
        await reader.apply(batch, await reader.decode(batch))
        self.offsets[topic] = batch.slices[0].next_offset

    async def levels(self, *levels: Mapping[str, object] | bytes) -> None:
        """One batch of stock levels."""
        await self.tell(STOCK_LEVELS.name, *levels)

    async def refer(self, *records: Mapping[str, object]) -> None:
        """One batch of reference data, and everything it asks to be computed again."""
        await self.tell(REFERENCE_DATA.name, *records)
        await self.settle()

    async def allocate(self, *lines: Mapping[str, object]) -> None:
        """One batch of order lines' outcomes."""
        await self.tell(ALLOCATIONS.name, *lines)

    async def supply(self, *orders: Mapping[str, object] | bytes) -> None:
        """One batch of supply orders, which have a consumer of their own."""
        reader = SupplyHandler(
            self.pool, SUPPLY, PARKING, metrics.MESSAGES, service=metrics.SERVICE
        )
        await self.tell(SUPPLY_ORDERS.name, *orders, handler=reader)

    async def settle(self) -> None:
        """Work off what is due or waits to be computed again."""
        async with asyncio.timeout(20):
            while await self.recomputing.turn():
                pass

    async def shown(self, sku: str) -> dict[str, Shown]:
        """What each channel is shown of a SKU, by the view in Postgres."""
        packed: bytes | None = await self.pool.fetchval(
            "select view from availability.stock where sku = $1", sku
        )
        return packing.unpack_shown(packed or b"")

    async def figure(self, sku: str, channel: str = "web") -> int:
        """How many the channel may sell, by the view in Postgres."""
        return (await self.shown(sku))[channel]["available_to_sell"]

    async def version(self, sku: str) -> int:
        """The version of the SKU's view."""
        found: int = await self.pool.fetchval(
            "select version from availability.stock where sku = $1", sku
        )
        return found

    async def in_redis(self, sku: str) -> Versioned | None:
        """The SKU's view as Redis has it."""
        return await self.strings.get(sku)

    async def published(self) -> list[Outgoing]:
        """What the relay would send now; what it sends is forgotten."""
        states = self.topic
        messages: list[Outgoing] = []
        while (dirty := await states.unpublished(PARTITIONS, 64)).rows:
            messages += await states.latest(dirty.keys)
            await states.forget(dirty.rows)
        return messages

    async def parked(self) -> dict[str, int]:
        """Parked messages by reason."""
        rows = await self.pool.fetch("select reason, count(*) from availability.parked group by 1")
        return {row[0]: row[1] for row in rows}

    async def parked_open(self) -> dict[str, int]:
        """Messages that are parked now, by reason."""
        rows = await self.pool.fetch(
            "select reason, count(*) from availability.parked where status = 'parked' group by 1"
        )
        return {row[0]: row[1] for row in rows}


def payload(message: Outgoing) -> dict[str, object]:
    """The message's value as JSON values."""
    found: dict[str, object] = json.loads(message.value)
    return found


@asynccontextmanager
async def open_bench(
    dsn: str, redis_url: str, *, partition: int = 0, plans: PlanCache | None = None
) -> AsyncIterator[AvailabilityBench]:
    """A worker's parts on one database and one Redis; several may be open on the same."""
    pool = await open_pool(dsn, application="test", size_max=6)
    connection = await connect(dsn, application="test")

    async def batch_connection() -> Connection:
        return connection

    clock, closing, plans = ManualClock(NOON), asyncio.Event(), plans or PlanCache()
    progress = ProgressRows(pool)
    topic, view = DirtyStates(pool, kind="topic"), DirtyStates(pool, kind="view")

    def committed(notes: Sequence[Note]) -> None:
        for note in notes:
            (topic if note.kind == "topic" else view).remember(note)

    recomputing = Recomputing(pool, plans, closing, committed=committed)
    mirror = Mirror(
        view, progress, lambda: PARTITIONS, clock, closing,
        restored=lambda: recomputing.force_sweep("another Postgres"),
    )  # fmt: skip
    redis = open_redis(redis_url, on_server=mirror.on_server)
    strings = VersionedStrings(redis, prefix="ats:")
    mark = GenerationMark(redis, name="ats-mark")
    mirror.attach(strings, mark)
    try:
        yield AvailabilityBench(
            handler=AvailabilityHandler(
                batch_connection, plans, RowMemory(clock), committed=committed
            ),
            recomputing=recomputing, mirror=mirror, progress=progress, pool=pool,
            positions=Positions(pool, schema="availability", owner="test"),
            strings=strings, mark=mark, clock=clock, topic=topic, partition=partition,
        )  # fmt: skip
    finally:
        await redis.aclose()
        await connection.close()
        await pool.close()
