"""Listings as told on reference-data-v1, behind the fence of the consumer's positions."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingestion.domain.listings import Listing
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

FOLD = f"""
with {fence_sql("ingestion", 1)},
told as (
    insert into ingestion.listings as l
        (channel, listing, from_at, until_at, revision, is_deleted, sku, units, fulfilled_by)
    select i.* from gate, unnest(
        $6::text[], $7::text[], $8::timestamptz[], $9::timestamptz[], $10::bigint[],
        $11::boolean[], $12::text[], $13::bigint[], $14::text[])
        as i(channel, listing, from_at, until_at, revision, is_deleted, sku, units, fulfilled_by)
    order by 1, 2, 3
    on conflict (channel, listing, from_at) do update
        set until_at = excluded.until_at, revision = excluded.revision,
            is_deleted = excluded.is_deleted, sku = excluded.sku, units = excluded.units,
            fulfilled_by = excluded.fulfilled_by
        where l.revision <= excluded.revision
    returning 1)
select (select count(*) from gate) as is_open, (select count(*) from told) as told
"""  # noqa: S608  (only the fence's own SQL is put into the text)
KNOWN = """
select channel, listing, from_at, until_at, sku, units, fulfilled_by
from ingestion.listings join unnest($1::text[], $2::text[]) as w(channel, listing)
    using (channel, listing)
where not is_deleted
"""
Code = tuple[str, str]  # channel, listing


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRecord:
    """One dated record, as it is kept."""

    channel: str
    listing: str
    from_at: datetime
    until_at: datetime | None
    revision: int
    is_deleted: bool
    sku: str
    units: int
    fulfilled_by: str


async def fold(connection: Connection, batch: Batch, records: Sequence[ListingRecord]) -> int:
    """Move the positions and keep the records, each key at most once; returns how many changed.

    Raises Fenced, and then nothing has changed.
    """
    row = await connection.fetchrow(
        FOLD,
        [s.topic for s in batch.slices], [s.partition for s in batch.slices],
        [s.epoch for s in batch.slices], [s.expected for s in batch.slices],
        [s.next_offset for s in batch.slices],
        [r.channel for r in records], [r.listing for r in records], [r.from_at for r in records],
        [r.until_at for r in records], [r.revision for r in records],
        [r.is_deleted for r in records], [r.sku for r in records], [r.units for r in records],
        [r.fulfilled_by for r in records],
    )  # fmt: skip
    assert row is not None, "a select of two counts gives a row"
    if not row["is_open"]:
        raise Fenced
    told: int = row["told"]
    return told


async def known(connection: Connection, codes: Collection[Code]) -> dict[Code, list[Listing]]:
    """The records of each code that is known."""
    rows = await connection.fetch(KNOWN, [c for c, _ in codes], [code for _, code in codes])
    found: dict[Code, list[Listing]] = {}
    for row in rows:
        found.setdefault((row["channel"], row["listing"]), []).append(
            Listing(
                from_at=row["from_at"], until_at=row["until_at"], sku=row["sku"],
                units=row["units"], fulfilled_by=row["fulfilled_by"],
            )
        )  # fmt: skip
    return found
