"""A ledger without a broker: the real handler on a real database, fed by hand."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import services.ledger
from services.ledger import metrics
from services.ledger.handlers.batch import LedgerHandler
from services.ledger.repository.parking import PARKING
from services.ledger.repository.publishing import Remembered
from services.ledger.repository.supply import SUPPLY
from shared.contracts.topics import (
    REFERENCE_DATA,
    STOCK_COMMANDS,
    STOCK_MOVEMENTS,
    SUPPLY_ORDERS,
)
from shared.kafka.batches import Message
from shared.kafka.handling import Handler
from shared.kafka.supplying import SupplyHandler
from shared.postgres.connecting import Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.postgres.positions import Claim, Positions
from shared.runtime.clock import ManualClock
from shared.testing.messages import NOON, a_batch, a_message

MIGRATIONS = Path(services.ledger.__file__).parent / "migrations"


async def migrate_ledger(dsn: str) -> None:
    """The set-up of the ledger's template database."""
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, "ledger", MIGRATIONS)
    finally:
        await connection.close()


@dataclass(slots=True)
class LedgerBench:
    """Tells the ledger things and asks what it made of them."""

    handler: LedgerHandler
    pool: Pool
    positions: Positions
    clock: ManualClock
    remembered: Remembered
    claims: dict[str, Claim] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    woken: int = 0

    async def tell(
        self, topic: str, messages: Sequence[Message], handler: SupplyHandler | None = None
    ) -> None:
        """Apply one batch from partition 0 of a topic."""
        if topic not in self.claims:
            self.claims[topic] = await self.positions.claim(topic, 0, first_offset=0)
        expected = self.offsets.get(topic, self.claims[topic].next_offset)
        batch = a_batch(messages, epoch=self.claims[topic].epoch, expected=expected)
        reader: Handler[Any] = handler or self.handler
        await reader.apply(batch, await reader.decode(batch))
        self.offsets[topic] = batch.slices[0].next_offset

    async def move(self, *movements: Mapping[str, object], source: str = "till:1") -> None:
        """One batch of movements, each with a message id of its own, or its `ce_id`."""
        await self.tell(STOCK_MOVEMENTS.name, self.messages(movements, source=source))

    def messages(
        self, movements: Sequence[Mapping[str, object]], *, source: str = "till:1"
    ) -> list[Message]:
        """Messages at the next offsets of the movements' topic."""
        start = self.offsets.get(STOCK_MOVEMENTS.name, 0)
        return [
            a_message(
                {k: v for k, v in movement.items() if k != "ce_id"},
                offset=start + place,
                ce_id=str(movement.get("ce_id", f"m{start + place}")),
                source=source,
            )
            for place, movement in enumerate(movements)
        ]

    async def know(self, *, skus: Sequence[str] = (), locations: Sequence[str] = ()) -> None:
        """Reference data: these SKUs and locations exist."""
        records: list[dict[str, object]] = [{"kind": "product", "sku": sku} for sku in skus]
        records += [
            {"kind": "location", "location_id": name, "location_kind": "store"}
            for name in locations
        ]
        topic = REFERENCE_DATA.name
        start = self.offsets.get(topic, 0)
        await self.tell(
            topic, [a_message(r, offset=start + i, topic=topic) for i, r in enumerate(records)]
        )

    async def command(self, *commands: Mapping[str, object]) -> None:
        """One batch of stock commands."""
        topic = STOCK_COMMANDS.name
        start = self.offsets.get(topic, 0)
        defaults: dict[str, object] = {
            "sku": "S1", "line_id": "1", "revision": 1, "candidates": ["L1"], "channel": "web",
        }  # fmt: skip
        await self.tell(
            topic,
            [
                a_message(defaults | dict(c), offset=start + i, topic=topic)
                for i, c in enumerate(commands)
            ],
        )

    async def supply(self, *orders: Mapping[str, object]) -> None:
        """One batch of supply orders, which have a consumer of their own."""
        start = self.offsets.get(SUPPLY_ORDERS.name, 0)
        reader = SupplyHandler(
            self.pool, SUPPLY, PARKING, metrics.MESSAGES, service=metrics.SERVICE
        )
        messages = [
            a_message(order, offset=start + i, topic=SUPPLY_ORDERS.name)
            for i, order in enumerate(orders)
        ]
        await self.tell(SUPPLY_ORDERS.name, messages, handler=reader)

    async def level(self, sku: str = "S1", location: str = "L1") -> dict[str, int]:
        """sellable, reserved, allocated and every other bucket with units."""
        async with self.pool.acquire() as connection:
            row = await connection.fetchrow(
                "select l.* from ledger.levels l join ledger.skus using (sku_id)"
                " join ledger.locations using (location_id) where sku = $1 and location = $2",
                sku, location,
            )  # fmt: skip
            if row is None:
                return {}
            others = await connection.fetch(
                "select bucket, quantity from ledger.balances join ledger.accounts"
                " using (account_id) where level_id = $1 and quantity <> 0", row["level_id"],
            )  # fmt: skip
        figures = {key: row[key] for key in ("sellable", "reserved", "allocated")}
        return figures | {other["bucket"]: other["quantity"] for other in others}

    async def sellable(self, sku: str = "S1", location: str = "L1") -> int:
        """What the book says may be sold."""
        return (await self.level(sku, location))["sellable"]

    async def ask(self, statement: str, *arguments: object) -> list[dict[str, object]]:
        """Rows of a test's own SQL."""
        async with self.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]

    async def parked(self) -> dict[str, int]:
        """Open parked messages by reason."""
        rows = await self.ask(
            "select reason, count(*)::int as n from ledger.parked"
            " where status = 'parked' group by reason"
        )
        return {str(row["reason"]): int(str(row["n"])) for row in rows}

    async def unbalanced(self) -> list[dict[str, object]]:
        """Accounts where the book is not the sum of its movements: invariant 1 in its own SQL."""
        return await self.ask(UNBALANCED)


# Independent of the ledger's statements: every side of every movement, summed, against the book.
UNBALANCED = """
with told as (
    select level_id, account_id, sum(delta) as quantity from (
        select from_level as level_id, from_account as account_id, -quantity as delta
        from ledger.movements
        union all select to_level, to_account, quantity from ledger.movements) s
    where level_id is not null group by 1, 2),
book as (
    select level_id, 1::smallint as account_id, sellable as quantity from ledger.levels
    union all select level_id, account_id, quantity from ledger.balances)
select level_id, account_id, told.quantity as movements, book.quantity as book
from told full join book using (level_id, account_id)
where coalesce(told.quantity, 0) <> coalesce(book.quantity, 0)
"""


@asynccontextmanager
async def open_bench(dsn: str, *, owner: str = "test") -> AsyncIterator[LedgerBench]:
    """A ledger on a migrated database; the clock stands an hour after noon."""
    pool = await open_pool(dsn, application="test", size_max=6)
    connection = await connect(dsn, application="test-batch")

    async def batch_connection() -> object:
        return connection

    clock, remembered = ManualClock(NOON + timedelta(hours=1)), Remembered()
    handler = LedgerHandler(
        batch_connection,  # type: ignore[arg-type]  # the test's one connection
        pool, clock, woken=lambda: None, released=lambda: None,
        left=remembered.remember,
    )  # fmt: skip
    try:
        yield LedgerBench(
            handler=handler, pool=pool, clock=clock, remembered=remembered,
            positions=Positions(pool, schema="ledger", owner=owner),
        )  # fmt: skip
    finally:
        await connection.close()
        await pool.close()


def at(minutes: float) -> datetime:
    """Minutes after noon."""
    return NOON + timedelta(minutes=minutes)
