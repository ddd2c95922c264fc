"""Attempts that are open: receipts kept with them, and what an earlier owner left."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from services.publication.repository.attempts import Held
from shared.postgres.connecting import Connection

# The deadline becomes the end of asking: until then the listing is busy, whoever owns the channel.
KEEP_RECEIPT = """
with held as materialized (
    select channel from publication.leases where channel = $1 and epoch = $2 for share),
kept as (
    update publication.attempts a
    set receipt = $3, deadline = clock_timestamp() + $4::float8 * interval '1 second'
    from held where a.listing_id = any($5::integer[]) and a.call_id = $6 and a.closed_at is null)
select count(*) from held
"""
OPEN_ATTEMPTS = """
select a.listing_id, a.call_id, a.version, a.value, a.receipt,
       greatest(0, extract(epoch from a.deadline - clock_timestamp()))::float8 as seconds_left
from publication.attempts a join publication.listings l using (listing_id)
where l.channel = $1 and a.closed_at is null
order by a.opened_at, a.listing_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAttempt:
    """An attempt that an earlier owner left open; with a receipt its result can be asked for."""

    listing_id: int
    call_id: UUID
    version: int
    value: int
    seconds_left: float
    receipt: str | None = None


async def keep_receipt(
    connection: Connection,
    held: Held,
    call_id: UUID,
    listing_ids: Sequence[int],
    receipt: str,
    seconds: float,
) -> bool:
    """Note what an accepted call is asked for with, and for how long; False: the lease is gone."""
    found = await connection.fetchval(
        KEEP_RECEIPT, held.channel, held.epoch, receipt, seconds, list(listing_ids), call_id
    )
    return bool(found)


async def open_attempts(connection: Connection, channel: str) -> list[OpenAttempt]:
    """What an earlier owner left open, with the seconds until each deadline."""
    rows = await connection.fetch(OPEN_ATTEMPTS, channel)
    return [OpenAttempt(**dict(row)) for row in rows]
