"""What the relay reads and forgets: commands as they stand, movements as they were recorded."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from services.orders.domain.wishing import Command
from services.orders.repository.folding import WISH
from shared.contracts.cloudevents import headers_for
from shared.contracts.commands import ShortAt, StockCommand
from shared.contracts.movements import StockMovement
from shared.contracts.orders import Method
from shared.contracts.products import KitComponent
from shared.contracts.records import Message
from shared.contracts.topics import STOCK_COMMANDS, STOCK_MOVEMENTS, Topic
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import Pool
from shared.postgres.unpublished import UnpublishedRows

SOURCE = "stocktide:orders"

# By rising revision: two SKUs of one line may share a partition, and compaction keeps the last.
COMMANDS = """
select command_id, order_id, line_id, revision, closed, wish, recorded_at from orders.commands
where command_id = any($1::bigint[]) order by revision, command_id
"""
MOVEMENTS = """
select movement_id, value, recorded_at from orders.movements
where movement_id = any($1::bigint[]) order by movement_id
"""
WAITING = """
select reason, count(*) as lines from orders.lines where waits_for is not null group by reason
"""


class OrdersStates(UnpublishedRows):
    """The relay's port to orders. One connection of the pool per call, short statements."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, schema="orders")

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """Commands as they stand now, and movements, as messages."""
        commands = [key for kind, key in keys if kind == "command"]
        movements = [key for kind, key in keys if kind == "movement"]
        async with self._pool.acquire(timeout=5) as connection:
            found = await connection.fetch(COMMANDS, commands) if commands else []
            moved = await connection.fetch(MOVEMENTS, movements) if movements else []
        return [*map(command_message, found), *map(movement_message, moved)]

    async def waiting(self) -> dict[str, int]:
        """Lines that wait for reference data, by reason."""
        async with self._pool.acquire(timeout=5) as connection:
            return {row[0]: row[1] for row in await connection.fetch(WAITING)}


def command_message(row: asyncpg.Record) -> Outgoing:
    """The latest command of a line for one SKU."""
    sent = Command(
        revision=row["revision"], closed=row["closed"], wish=WISH.validate_json(row["wish"])
    )
    wish = sent.wish
    command = StockCommand(
        order_id=row["order_id"], line_id=row["line_id"], revision=sent.revision, sku=wish.sku,
        wanted=wish.wanted, candidates=wish.candidates, may_split=wish.may_split,
        channel=wish.channel, method=Method(wish.method) if wish.method else None,
        requested_for=wish.requested_for, ordered_at=wish.ordered_at, closed=sent.closed,
        kit=tuple(KitComponent(sku=sku, quantity=units) for sku, units in wish.kit),
        short_at=tuple(ShortAt(location=place, at=at) for place, at in wish.shorts.items()),
    )  # fmt: skip
    name = f"command-{row['command_id']}@{sent.revision}"
    return _outgoing(STOCK_COMMANDS, command, name, row["recorded_at"])


def movement_message(row: asyncpg.Record) -> Outgoing:
    """A movement as it was recorded; its document identifies it, however often it is sent."""
    movement = StockMovement.decode(row["value"])
    name = f"return-movement-{row['movement_id']}"
    return _outgoing(STOCK_MOVEMENTS, movement, name, row["recorded_at"])


def _outgoing(topic: Topic, message: Message, name: str, at: datetime) -> Outgoing:
    return Outgoing(
        topic=topic.name, partition=topic.partition_of(message), key=message.key(),
        value=message.encode(),
        headers=headers_for(id_=name, source=SOURCE, type_=topic.ce_type, time=at),
    )  # fmt: skip
