"""Orders without a broker: the real handler on a real database, fed by hand."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import services.orders
from services.orders.domain.sourcing import PoolOrder
from services.orders.handlers.answering import answer
from services.orders.handlers.batch import OrdersHandler
from services.orders.handlers.redeciding import Redeciding
from services.orders.repository.publishing import OrdersStates
from shared.contracts.topics import ALLOCATIONS, ORDERS, REFERENCE_DATA, RETURNS
from shared.kafka.batches import Batch, Message
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import Connection, Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.postgres.positions import Claim, Positions
from shared.runtime.clock import ManualClock
from shared.testing.messages import NOON, a_batch, a_message

MIGRATIONS = Path(services.orders.__file__).parent / "migrations"
PARTITIONS = tuple(range(8))

Json = dict[str, object]


async def migrate_orders(dsn: str) -> None:
    """The set-up of the template database."""
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, "orders", MIGRATIONS)
    finally:
        await connection.close()


def a_line(**overrides: object) -> Json:
    """Line 1: two units of S1."""
    return {"line_id": "1", "sku": "S1", "quantity": 2} | overrides


def an_order(*lines: Mapping[str, object], **overrides: object) -> Json:
    """Order O1 of the channel `web`, confirmed, at version 1, with line 1."""
    order: Json = {
        "order_id": "O1",
        "channel": "web",
        "state": "confirmed",
        "version": 1,
        "placed_at": "2026-06-01T09:00:00Z",
        "lines": list(lines or [a_line()]),
    }
    return order | overrides


def a_return(*lines: Mapping[str, object], **overrides: object) -> Json:
    """Return R1 of order O1 at L1, received."""
    told: Json = {
        "return_id": "R1",
        "order_id": "O1",
        "channel": "web",
        "state": "received",
        "updated_at": "2026-06-01T12:00:00Z",
        "location": "L1",
        "lines": list(lines),
    }
    return told | overrides


@dataclass(slots=True)
class OrdersBench:
    """Tells orders things and asks what it made of them."""

    handler: OrdersHandler
    redeciding: Redeciding
    pool: Pool
    states: OrdersStates
    positions: Positions
    clock: ManualClock
    claims: dict[str, Claim] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)

    async def batch(self, topic: str, payloads: Sequence[Mapping[str, object] | bytes]) -> Batch:
        """A batch at the next offsets of partition 0 of a topic."""
        if topic not in self.claims:
            self.claims[topic] = await self.positions.claim(topic, 0, first_offset=0)
        expected = self.offsets.get(topic, self.claims[topic].next_offset)
        messages: list[Message] = [
            a_message(payload, offset=expected + place, topic=topic)
            for place, payload in enumerate(payloads)
        ]
        self.offsets[topic] = expected + len(messages)
        return a_batch(messages, epoch=self.claims[topic].epoch, expected=expected)

    async def tell(self, topic: str, *payloads: Mapping[str, object] | bytes) -> None:
        """Apply one batch, and then what was noted to be decided again."""
        batch = await self.batch(topic, payloads)
        await self.handler.apply(batch, await self.handler.decode(batch))
        await self.settle()

    async def settle(self) -> None:
        """Decide again until nothing waits to be."""
        while await self.redeciding.turn():
            pass

    async def order(self, *orders: Mapping[str, object]) -> None:
        """One batch of order states."""
        await self.tell(ORDERS.name, *orders)

    async def give_back(self, *returns: Mapping[str, object]) -> None:
        """One batch of return states."""
        await self.tell(RETURNS.name, *returns)

    async def refer(self, *records: Mapping[str, object]) -> None:
        """One batch of reference data."""
        await self.tell(REFERENCE_DATA.name, *records)

    async def answered(self, **overrides: object) -> None:
        """The ledger's answer for line 1 of O1: two units of S1 at L1, to the latest command."""
        revision = (await self.commands())[-1]["revision"]
        told: Json = {
            "order_id": "O1", "line_id": "1", "version": 1, "decided_for": revision,
            "sku": "S1", "wanted": 2, "allocated": [{"location": "L1", "quantity": 2}],
            "recorded_at": "2026-06-01T12:00:00Z",
        }  # fmt: skip
        await self.tell(ALLOCATIONS.name, told | overrides)

    async def sent(self) -> list[Outgoing]:
        """What the relay would send now; it is forgotten as if acknowledged."""
        dirty = await self.states.unpublished(PARTITIONS, 1000)
        messages = await self.states.latest(dirty.keys)
        await self.states.forget(dirty.rows)
        return list(messages)

    async def sent_values(self) -> list[Json]:
        """The payloads of what the relay would send now."""
        return [json.loads(message.value) for message in await self.sent()]

    async def commands(self) -> list[Json]:
        """Every command as it stands, by rising revision."""
        return await self.ask(
            "select order_id, line_id, sku, revision, closed, (wish->>'wanted')::int as wanted,"
            " array(select jsonb_array_elements_text(wish->'candidates')) as candidates"
            " from orders.commands order by revision, command_id"
        )

    async def wish(self) -> tuple[object, object, object]:
        """(SKU, wanted, candidates) of the latest command of all."""
        last = (await self.commands())[-1]
        return last["sku"], last["wanted"], last["candidates"]

    async def line(self, order_id: str = "O1", place: int = 0) -> Json:
        """A line as the interface answers it."""
        async with self.pool.acquire() as connection:
            found = await answer(connection, order_id)
        assert found is not None
        lines = found["lines"]
        assert isinstance(lines, list)
        told: Json = lines[place]
        return told

    async def ask(self, statement: str, *arguments: object) -> list[Json]:
        """Rows of a test's own SQL."""
        async with self.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]


WEB: Json = {"kind": "channel", "channel": "web", "pool": ["L1", "L2"]}
S1: Json = {"kind": "product", "sku": "S1"}
S2: Json = {"kind": "product", "sku": "S2"}


@asynccontextmanager
async def open_bench(dsn: str, *, owner: str = "test") -> AsyncIterator[OrdersBench]:
    """Orders on a migrated database; the clock stands an hour after noon."""
    pool = await open_pool(dsn, application="test", size_max=6)
    connection = await connect(dsn, application="test-batch")

    async def batch_connection() -> Connection:
        return connection

    clock = ManualClock(NOON + timedelta(hours=1))
    redeciding = Redeciding(pool, PoolOrder(), clock, asyncio.Event(), woken=lambda: None)
    handler = OrdersHandler(
        batch_connection, PoolOrder(), clock, woken=lambda: None, undecided=redeciding.wake
    )
    try:
        yield OrdersBench(
            handler=handler, redeciding=redeciding, pool=pool, states=OrdersStates(pool),
            clock=clock, positions=Positions(pool, schema="orders", owner=owner),
        )  # fmt: skip
    finally:
        await connection.close()
        await pool.close()
