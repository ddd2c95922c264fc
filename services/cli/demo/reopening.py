"""What a run finds: the books of the last one, or servers that it may use up."""

from collections.abc import Mapping

from redis.asyncio import Redis

from services.cli.demo.repository import keeping as sql
from services.cli.demo.world import Place
from services.cli.migrating import drop_all
from services.cli.topics import delete_topics
from shared.postgres.connecting import Connection
from shared.runtime.infrastructure import Addresses

VIEW_KEYS = ("ats:*", "ats-mark")


async def on_hand(connection: Connection) -> dict[Place, int]:
    """What lies where, by the ledger."""
    rows = await connection.fetch(sql.ON_HAND)
    return {(row["sku"], row["location"]): row["sellable"] for row in rows}


async def last_shown(
    connection: Connection, channel: str, entries: Mapping[str, int]
) -> list[tuple[int, str, int]]:
    """(entry, SKU, quantity) as a shop showed them: its simulator forgets, a shop doesn't."""
    rows = await connection.fetch(sql.LAST_SHOWN, channel)
    shown: dict[str, int | None] = {row["sku"]: row["shown"] for row in rows}
    return [(entry, sku, shown.get(sku) or 0) for sku, entry in entries.items()]


async def use_up(addresses: Addresses) -> None:
    """Remove what Stocktide keeps on servers that are not ours: its schemas, topics and keys."""
    await drop_all(addresses.postgres)
    await delete_topics(addresses.kafka)
    async with Redis.from_url(addresses.redis) as redis:
        for pattern in VIEW_KEYS:
            async for key in redis.scan_iter(match=pattern, count=1_000):
                await redis.unlink(key)
