"""What publication says of itself: states for publications-v1, the ledger's rows for readers."""

import re
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from shared.contracts.cloudevents import headers_for
from shared.contracts.publications import Publication, PublicationStatus
from shared.contracts.topics import PUBLICATIONS
from shared.kafka.producing import Outgoing
from shared.kafka.relaying import Dirty
from shared.postgres.connecting import Connection, Pool

SOURCE = "stocktide/publication"
UNPUBLISHED = """
select row_id, keys from publication.unpublished order by row_id limit $1
"""
LATEST = """
select l.channel, l.listing, l.sku, p.version, p.value, p.status, p.call_id, p.sent_at,
       p.acknowledged_at, p.error_code
from publication.published p join publication.listings l using (listing_id)
where p.listing_id = any($1::integer[]) and p.version > 0
"""
# A deletion that is lost is a state told twice: it need not wait for the disk.
FORGET = """
with relaxed as materialized (select set_config('synchronous_commit', 'off', true))
delete from publication.unpublished using relaxed where row_id = any($1::bigint[])
"""
HISTORY = """
select l.channel, l.listing, l.sku, a.version, a.value, a.opened_at, a.closed_at, a.outcome,
       a.code, a.detail, a.read_value, a.read_at, a.call_id::text as call_id
from publication.listings l join publication.attempts a using (listing_id)
where l.channel = $1 and l.sku = $2
order by a.opened_at desc limit $3
"""
STANDING = """
select l.listing_id, l.channel, l.listing, l.sku, l.mode, l.fulfilled_by, l.is_open, p.version,
       p.value, p.status, p.shown, p.sent_at, p.acknowledged_at, p.error_code,
       f.version as latest_version, f.available, f.channel_buffer
from publication.listings l
left join publication.published p using (listing_id)
left join publication.figures f on f.channel = l.channel and f.sku = l.sku
where l.channel = $1 and l.sku = $2
order by l.listing_id
"""
NOT_A_CODE = re.compile(r"[^a-z0-9_.-]")


class Publications:
    """`Publishable` for the relay: the latest state of every listing that was told something."""

    def __init__(self, pool: Pool, now: Any) -> None:
        self._pool = pool
        self._now = now

    async def unpublished(
        self, partitions: Collection[int], limit: int, besides: Collection[int] = ()
    ) -> Dirty:
        """Rows of any partition: whichever process owns the channel publishes its rows."""
        del partitions, besides
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(UNPUBLISHED, limit)
        keys = {("listing", key) for row in rows for key in row["keys"]}
        return Dirty(rows=[row["row_id"] for row in rows], keys=keys)

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """The messages, as they stand now."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(LATEST, [key for _, key in keys])
        return [outgoing(row, self._now()) for row in rows]

    async def forget(self, rows: Sequence[int]) -> None:
        """Delete exactly the rows that were published."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(FORGET, list(rows))


def outgoing(row: asyncpg.Record, now: datetime) -> Outgoing:
    """One state as a message."""
    call_id, code = row["call_id"], row["error_code"]
    attempt = None if call_id is None else str(call_id)
    message = Publication(
        channel=row["channel"], listing_id=row["listing"], sku=row["sku"], version=row["version"],
        value=row["value"], status=PublicationStatus(row["status"]), attempt_id=attempt,
        idempotency_key=attempt, sent_at=row["sent_at"], acknowledged_at=row["acknowledged_at"],
        error_code=None if code is None else error_code_of(code),
    )  # fmt: skip
    headers = headers_for(
        id_=f"{row['channel']}|{row['listing']}|{row['version']}|{row['status']}"[:200],
        source=SOURCE, type_=PUBLICATIONS.ce_type, time=now,
    )  # fmt: skip
    return Outgoing(
        topic=PUBLICATIONS.name, partition=PUBLICATIONS.partition_of(message), key=message.key(),
        value=message.encode(), headers=headers,
    )  # fmt: skip


def error_code_of(code: str) -> str:
    """A channel's error code in the letters that our contract allows."""
    return (NOT_A_CODE.sub("_", code.lower())[:64].lstrip("_.-")) or "unknown"


async def history(
    connection: Connection, channel: str, sku: str, limit: int
) -> list[dict[str, Any]]:
    """What was sent for a SKU through a channel, the latest first."""
    return [dict(row) for row in await connection.fetch(HISTORY, channel, sku, limit)]


async def standing(connection: Connection, channel: str, sku: str) -> list[dict[str, Any]]:
    """How each of a SKU's listings stands in a channel."""
    return [dict(row) for row in await connection.fetch(STANDING, channel, sku)]
