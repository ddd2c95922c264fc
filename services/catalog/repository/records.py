"""Dated records: kept behind the fence, read by thing, by code, by what they claim."""

from collections.abc import Collection, Sequence
from datetime import datetime

import asyncpg

from services.catalog.repository.rows import KeptRecord, RecordRow
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# Locks in one order everywhere: positions, the policies' gate, records by kind and id.
FENCE = fence_sql("catalog", 1)
BEGIN = f"with {FENCE} select 1 from gate"  # noqa: S608  (our own text, no value in it)
BEGIN_ALONE = f"""
with {FENCE} select g.opened from gate, catalog.policy_gate g for update of g
"""  # noqa: S608  (our own text, no value in it)
HOLD_GATE = "select opened from catalog.policy_gate for update"
# Of equal revisions the later told wins, as compaction would leave it; what says the same is no
# news.
KEEP = """
insert into catalog.records as r
    (kind, record_id, thing, from_at, until_at, revision, is_deleted, claim, code, content_sha256,
     record, source, recorded_at)
select kind, record_id, thing, from_at, until_at, revision, is_deleted, claim, code, content,
       record::jsonb, source, $13
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[],
            $6::bigint[], $7::boolean[], $8::bytea[], $9::text[], $10::bytea[], $11::text[],
            $12::text[])
    as i(kind, record_id, thing, from_at, until_at, revision, is_deleted, claim, code, content,
         record, source)
order by kind, record_id
on conflict (kind, record_id) do update set
    from_at = excluded.from_at, until_at = excluded.until_at, revision = excluded.revision,
    is_deleted = excluded.is_deleted, claim = excluded.claim, code = excluded.code,
    content_sha256 = excluded.content_sha256, record = excluded.record,
    source = excluded.source, recorded_at = excluded.recorded_at
where r.revision < excluded.revision
   or (r.revision = excluded.revision and r.content_sha256 <> excluded.content_sha256)
returning kind
"""
COLUMNS = """kind, record_id, from_at, until_at, revision, is_deleted, content_sha256,
       record::text as record, source, recorded_at"""
OF_CLAIMS = f"""
select {COLUMNS} from catalog.records where claim = any($1::bytea[])
union
select {COLUMNS} from catalog.records where kind = $2 and record_id = any($3::text[])
"""  # noqa: S608  (only names of columns are put into the text)
OF_CODE = f"""
select {COLUMNS} from catalog.records
where code = $1 and kind in ('listing', 'identifier') and not is_deleted
order by kind, record_id limit $2
"""  # noqa: S608  (only names of columns are put into the text)
LISTINGS_OF = f"""
select {COLUMNS} from catalog.records
where kind = 'listing' and record->>'channel' = $1 and record->>'sku' = $2 and not is_deleted
order by record_id limit $3
"""  # noqa: S608  (only names of columns are put into the text)
OF_THING = f"""
select {COLUMNS} from catalog.records where kind = $1 and thing = $2
order by from_at nulls first limit $3
"""  # noqa: S608  (only names of columns are put into the text)
PAGE = f"""
select {COLUMNS} from catalog.records
where kind = $1 and record_id > $2 and ($3 or not is_deleted) order by record_id limit $4
"""  # noqa: S608  (only names of columns are put into the text)
COUNTS = "select kind, count(*) from catalog.records where not is_deleted group by kind"

AT_MOST = 1_000  # dated records of one code or thing; more than anybody reads


async def begin(connection: Connection, batch: Batch, *, alone: bool) -> None:
    """Move the positions, and hold the policies' gate where policies come. Raises Fenced."""
    slices = batch.slices
    opened = await connection.fetchval(
        BEGIN_ALONE if alone else BEGIN,
        [part.topic for part in slices], [part.partition for part in slices],
        [part.epoch for part in slices], [part.expected for part in slices],
        [part.next_offset for part in slices],
    )  # fmt: skip
    if opened is None:
        raise Fenced


async def hold_gate(connection: Connection) -> None:
    """Let nobody else bring policies in before this transaction ends."""
    await connection.execute(HOLD_GATE)


async def keep(
    connection: Connection, rows: Sequence[RecordRow], sources: Sequence[str], now: datetime
) -> list[str]:
    """Keep what is news, each record at most once; returns the kinds of what was."""
    if not rows:
        return []
    found = await connection.fetch(
        KEEP,
        [r.kind for r in rows], [r.record_id for r in rows], [r.thing for r in rows],
        [r.begins for r in rows], [r.ends for r in rows], [r.revision for r in rows],
        [r.is_deleted for r in rows], [r.claim for r in rows], [r.code for r in rows],
        [r.content for r in rows], [r.record for r in rows], list(sources), now,
    )  # fmt: skip
    return [row[0] for row in found]


async def of_claims(
    connection: Connection, kind: str, claims: Collection[bytes], ids: Collection[str]
) -> list[KeptRecord]:
    """Records that claim one of these, and those of these ids."""
    return _kept(await connection.fetch(OF_CLAIMS, list(claims), kind, list(ids)))


async def of_code(connection: Connection, code: str) -> list[KeptRecord]:
    """Listings and identifiers of a code, whoever's and whenever; not those taken back."""
    return _kept(await connection.fetch(OF_CODE, code, AT_MOST))


async def listings_of(connection: Connection, channel: str, sku: str) -> list[KeptRecord]:
    """A channel's listings of a SKU, whenever; not those taken back."""
    return _kept(await connection.fetch(LISTINGS_OF, channel, sku, AT_MOST))


async def of_thing(connection: Connection, kind: str, thing: str) -> list[KeptRecord]:
    """All dated records of one thing, by when they begin."""
    return _kept(await connection.fetch(OF_THING, kind, thing, AT_MOST))


async def page(
    connection: Connection, kind: str, *, after: str, deleted: bool, limit: int
) -> list[KeptRecord]:
    """Records of a kind by id, from after the one named."""
    return _kept(await connection.fetch(PAGE, kind, after, deleted, limit))


async def counts(connection: Connection) -> dict[str, int]:
    """Records of each kind that are not taken back."""
    return {row[0]: row[1] for row in await connection.fetch(COUNTS)}


def _kept(rows: Sequence[asyncpg.Record]) -> list[KeptRecord]:
    return [
        KeptRecord(
            kind=row["kind"], record_id=row["record_id"], begins=row["from_at"],
            ends=row["until_at"], revision=row["revision"], is_deleted=row["is_deleted"],
            content=row["content_sha256"], record=row["record"], source=row["source"],
            recorded_at=row["recorded_at"],
        )
        for row in rows
    ]  # fmt: skip
