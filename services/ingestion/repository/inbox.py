"""The inbox: deliveries without their persons, until they are folded, and a while after."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingestion.domain.allowing import Json
from shared.postgres.connecting import Connection, Pool

STORE = """
insert into ingestion.inbox (channel, protocol, body_sha256, delivery_id, topic, payload)
values ($1, $2, $3, $4, $5, $6::jsonb)
on conflict (channel, body_sha256) do nothing
returning inbox_id
"""
# One process folds at a time: the states of one order meet in one transaction after the other.
LOCK = "select pg_try_advisory_xact_lock(hashtext('ingestion.fold'))"
RECEIVED = """
select inbox_id, channel, protocol, payload::text as payload from ingestion.inbox
where status = 'received' order by inbox_id limit $1
"""
SETTLE = """
update ingestion.inbox i
set status = s.status, waits_for = s.waits_for, reason = s.reason, detail = s.detail,
    settled_at = now()
from unnest($1::bigint[], $2::text[], $3::text[], $4::text[], $5::text[])
    as s(inbox_id, status, waits_for, reason, detail)
where i.inbox_id = s.inbox_id
"""
RELEASE = """
update ingestion.inbox set status = 'received', waits_for = null
where inbox_id in (
    select i.inbox_id from ingestion.inbox i
    where i.status = 'waiting' and (
        i.waits_for like 'listing:%' and exists (
            select from ingestion.listings l
            where l.channel = i.channel and l.listing = substr(i.waits_for, 9)
              and not l.is_deleted)
        or i.waits_for like 'order:%' and exists (
            select from ingestion.orders o where o.order_id = substr(i.waits_for, 7)))
    order by i.inbox_id limit $1 for update skip locked)
returning 1
"""
FORGET = """
delete from ingestion.inbox where inbox_id in (
    select inbox_id from ingestion.inbox
    where status = 'folded' and settled_at < $1 order by settled_at limit $2)
returning 1
"""
COUNTS = "select status, count(*) from ingestion.inbox group by status"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """What a shop delivered, ready to be kept: `payload` holds nothing personal."""

    channel: str
    protocol: str
    body_sha256: bytes
    delivery_id: str | None
    topic: str | None
    payload: Mapping[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxRow:
    """A delivery that was kept."""

    inbox_id: int
    channel: str
    protocol: str
    payload: dict[str, Json]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settlement:
    """What became of a row: folded, waiting for a name, or refused for a reason."""

    inbox_id: int
    status: str
    waits_for: str | None = None
    reason: str | None = None
    detail: str | None = None


class Inbox:
    """The port of the HTTP side: one statement, durable when it returns."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def store(self, delivery: Delivery) -> bool:
        """Keep a delivery; False where its body is kept already."""
        async with self._pool.acquire(timeout=3) as connection:
            found = await connection.fetchval(
                STORE, delivery.channel, delivery.protocol, delivery.body_sha256,
                delivery.delivery_id, delivery.topic, json.dumps(delivery.payload),
            )  # fmt: skip
        return found is not None

    async def forget(self, before: datetime, limit: int) -> int:
        """Delete deliveries folded before a moment; returns how many."""
        async with self._pool.acquire(timeout=5) as connection:
            return len(await connection.fetch(FORGET, before, limit))

    async def counts(self) -> dict[str, int]:
        """Rows by status."""
        async with self._pool.acquire(timeout=5) as connection:
            return {row[0]: row[1] for row in await connection.fetch(COUNTS)}

    async def release(self, limit: int) -> int:
        """Bring rows back whose name has become known; returns how many."""
        async with self._pool.acquire(timeout=5) as connection:
            return len(await connection.fetch(RELEASE, limit))


async def lock(connection: Connection) -> bool:
    """Whether this transaction is the one that folds."""
    return bool(await connection.fetchval(LOCK))


async def received(connection: Connection, limit: int) -> list[InboxRow]:
    """Rows to be folded, in the order of their arrival."""
    rows = await connection.fetch(RECEIVED, limit)
    return [
        InboxRow(
            inbox_id=row["inbox_id"], channel=row["channel"], protocol=row["protocol"],
            payload=json.loads(row["payload"]),
        )
        for row in rows
    ]  # fmt: skip


async def settle(connection: Connection, settlements: Sequence[Settlement]) -> None:
    """Record what became of the rows."""
    await connection.execute(
        SETTLE,
        [s.inbox_id for s in settlements], [s.status for s in settlements],
        [s.waits_for for s in settlements], [s.reason for s in settlements],
        [s.detail for s in settlements],
    )  # fmt: skip
