"""Parked messages: the only record of what was refused, and how it comes back."""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.kafka.batches import Message
from shared.postgres.connecting import Connection

PARK = """
insert into ledger.parked (topic, partition, kafka_offset, reason, detail, waits_for, key, headers,
                           value, parked_at)
select topic, partition, kafka_offset, reason, detail, waits_for, key, headers::jsonb, value, now()
from unnest($1::text[], $2::integer[], $3::bigint[], $4::text[], $5::text[], $6::text[],
            $7::bytea[], $8::text[], $9::bytea[])
    as i(topic, partition, kafka_offset, reason, detail, waits_for, key, headers, value)
on conflict (topic, partition, kafka_offset) do update set
    status = 'parked', reason = excluded.reason, detail = excluded.detail,
    waits_for = excluded.waits_for, released_at = null
"""
TAKE = """
update ledger.parked set status = 'released', released_at = now()
where parked_id in (select parked_id from ledger.parked
                    where parked_id = any($1::bigint[]) and status = 'parked'
                    order by parked_id for update skip locked)
returning parked_id, topic, partition, kafka_offset, key, headers, value, parked_at
"""
KNOWN_NOW = """
select p.parked_id from ledger.parked p
where p.status = 'parked' and p.waits_for is not null
  and (exists (select from ledger.skus s where 'sku:' || s.sku = p.waits_for)
       or exists (select from ledger.locations l where 'location:' || l.location = p.waits_for))
order by p.parked_id limit $1
"""
OPEN = """
select parked_id, topic, partition, kafka_offset, reason, detail, parked_at, status
from ledger.parked
where status = 'parked' and parked_id > $1 and ($2::text is null or reason = $2)
order by parked_id limit $3
"""
SHOW = "select * from ledger.parked where parked_id = $1"
COUNTS = "select reason, count(*) from ledger.parked where status = 'parked' group by reason"


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """A message that isn't applied, with its reason; `waits_for` names what would release it."""

    message: Message
    reason: str
    detail: str
    waits_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParkedMessage:
    """A parked row in the shape of a message, so that the same code decodes it."""

    parked_id: int
    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes]]


async def park(connection: Connection, refusals: Collection[Refusal]) -> None:
    """Keep refused messages; a replayed one that is refused again takes the new reason."""
    if not refusals:
        return
    await connection.execute(
        PARK,
        [r.message.topic for r in refusals], [r.message.partition for r in refusals],
        [r.message.offset for r in refusals], [r.reason for r in refusals],
        [r.detail[:4000].replace("\0", "\\0") for r in refusals],
        [r.waits_for for r in refusals], [r.message.key for r in refusals],
        [_headers_text(r.message.headers) for r in refusals],
        [r.message.value for r in refusals],
    )  # fmt: skip


async def take(connection: Connection, ids: Collection[int]) -> list[ParkedMessage]:
    """Take open rows for a replay, in the order they were parked; someone else's are left."""
    rows = await connection.fetch(TAKE, list(ids))
    return [_message(row) for row in sorted(rows, key=lambda row: row["parked_id"])]


async def known_now(connection: Connection, limit: int) -> list[int]:
    """Rows whose unknown SKU or location has become known."""
    return [row[0] for row in await connection.fetch(KNOWN_NOW, limit)]


async def open_rows(
    connection: Connection, *, after: int, reason: str | None, limit: int
) -> list[dict[str, object]]:
    """Open rows by id, for people."""
    return [dict(row) for row in await connection.fetch(OPEN, after, reason, limit)]


async def open_ids(connection: Connection, *, reason: str | None, limit: int) -> list[int]:
    """Ids of open rows of a reason, or of all."""
    return [row["parked_id"] for row in await connection.fetch(OPEN, 0, reason, limit)]


async def show(connection: Connection, parked_id: int) -> asyncpg.Record | None:
    """One row whole."""
    return await connection.fetchrow(SHOW, parked_id)


async def counts(connection: Connection) -> dict[str, int]:
    """Open rows per reason."""
    return {row[0]: row[1] for row in await connection.fetch(COUNTS)}


def _headers_text(headers: Sequence[tuple[str, bytes]]) -> str:
    """Headers as JSON; bytes that are no UTF-8 are kept readable, not exact."""
    pairs = [(name, value.decode("utf-8", "backslashreplace")) for name, value in headers]
    return json.dumps(pairs).replace("\\u0000", "\\\\0")


def _message(row: asyncpg.Record) -> ParkedMessage:
    parked_at: datetime = row["parked_at"]
    return ParkedMessage(
        parked_id=row["parked_id"], topic=row["topic"], partition=row["partition"],
        offset=row["kafka_offset"], timestamp=int(parked_at.timestamp() * 1000), key=row["key"],
        value=row["value"],
        headers=[(name, value.encode()) for name, value in json.loads(row["headers"])],
    )  # fmt: skip
