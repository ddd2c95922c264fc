"""A file's way into the referential: its rows, what was found in them, and its one acceptance."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.catalog.repository.rows import RecordRow
from shared.postgres.connecting import Connection

BEGIN = """
insert into catalog.imports (kind, name, content_sha256, is_partial, is_dry_run)
values ($1, $2, $3, $4, $5) returning import_id
"""
EARLIER = """
select max(import_id) from catalog.imports
where kind = $1 and content_sha256 = $2 and status = 'applied'
"""
VERSIONS = """
select record_id, revision, content_sha256 from catalog.records
where kind = $1 and record_id = any($2::text[])
"""
UNKNOWN = """
select kind, thing from unnest($1::text[], $2::text[]) as i(kind, thing)
where not exists (select from catalog.records r
                  where r.kind = i.kind and r.thing = i.thing and not r.is_deleted)
"""
READ = "update catalog.imports set rows_read = $2, facts = $3::jsonb where import_id = $1"
DANGLING = """
insert into catalog.import_findings (import_id, is_refusal, line, col, reason, detail)
select n.import_id, false, n.line, n.col, 'unknown_' || n.kind,
       'no ' || n.kind || ' is called ' || n.thing
from catalog.import_references n
where n.import_id = $1 and n.line > $3 and n.line <= $4
  and exists (select from catalog.import_rows o
              where o.import_id = $1 and o.line = n.line and o.fate <> 'refused')
  and not exists (select from catalog.records r
                  where r.kind = n.kind and r.thing = n.thing and not r.is_deleted)
  and (n.kind <> $2 or not exists (select from catalog.import_rows o
                                   where o.import_id = $1 and o.thing = n.thing
                                     and not o.is_deleted and o.fate <> 'refused'))
order by n.line
"""
COUNTS = """
select fate, count(*) as rows from catalog.import_rows where import_id = $1 group by fate
"""
REFUSED_LINES = """
select count(distinct line) from catalog.import_findings where import_id = $1 and is_refusal
"""
TOTALS = """
select is_refusal, count(*) from catalog.import_findings where import_id = $1 group by is_refusal
"""
SETTLE = """
update catalog.imports set status = $2, counts = $3::jsonb, facts = $4::jsonb,
    settled_at = case when $2 = 'accepted' then null else now() end
where import_id = $1 and status = 'checking' returning import_id
"""
FAIL_LEFT = """
update catalog.imports set status = 'failed', settled_at = now(),
    facts = facts || '{"failed": "interrupted; send the file again"}'
where status = 'checking'
"""
KIND = "select kind from catalog.imports where import_id = $1"
LEFT = "select import_id from catalog.imports where status = 'accepted' order by import_id"
FORGOTTEN = """
select distinct r.import_id from catalog.import_rows r join catalog.imports i using (import_id)
where i.status not in ('checking', 'accepted')
"""
# One slice: rows leave this table and stand in `records` in the same statement.
APPLY = """
with taken as (
    delete from catalog.import_rows where (import_id, line) in (
        select import_id, line from catalog.import_rows where import_id = $1 and line > $5
        order by line limit $2)
    returning *),
entering as (
    select t.*, i.kind from taken t join catalog.imports i using (import_id)
    where t.fate in ('new', 'changed') and t.record_id <> all ($4::text[])),
kept as (
    insert into catalog.records as r
        (kind, record_id, thing, from_at, until_at, revision, is_deleted, claim, code,
         content_sha256, record, source, recorded_at)
    select kind, record_id, thing, from_at, until_at, revision, is_deleted, claim, code,
           content_sha256, jsonb_set(record::jsonb, '{revision}', to_jsonb(revision)),
           'import:' || import_id, $3
    from entering order by kind, record_id
    on conflict (kind, record_id) do update set
        from_at = excluded.from_at, until_at = excluded.until_at, revision = excluded.revision,
        is_deleted = excluded.is_deleted, claim = excluded.claim, code = excluded.code,
        content_sha256 = excluded.content_sha256, record = excluded.record,
        source = excluded.source, recorded_at = excluded.recorded_at
    where r.revision < excluded.revision
    returning record_number),
noted as (
    insert into catalog.unpublished (kind, partition, keys)
    select 'record', 0, array_agg(record_number) from kept having count(*) > 0)
select (select max(line) from taken) as last_line,
       (select count(*) from taken where fate in ('new', 'changed')) as wanted,
       (select count(*) from kept) as kept
"""
NEXT_ROWS = """
select record_id, record, claim from catalog.import_rows
where import_id = $1 and fate in ('new', 'changed')
  and line <= (select max(line) from (select line from catalog.import_rows
                                      where import_id = $1 and line > $3
                                      order by line limit $2) s)
order by line
"""
OVERTAKEN = """
update catalog.imports set counts = jsonb_set(
    counts, '{overtaken}', to_jsonb(coalesce((counts->>'overtaken')::bigint, 0) + $2::bigint))
where import_id = $1
"""
APPLIED = """
update catalog.imports set status = 'applied', settled_at = now()
where import_id = $1 and status = 'accepted' returning import_id
"""
FORGET_ROWS = """
delete from catalog.import_rows where (import_id, line) in (
    select import_id, line from catalog.import_rows where import_id = $1 limit $2)
"""
FORGET_REFERENCES = "delete from catalog.import_references where import_id = $1"
REPORT = """
select import_id, kind, name, encode(content_sha256, 'hex') as content_sha256, is_partial,
       is_dry_run, status, rows_read, counts, facts, started_at, settled_at
from catalog.imports where import_id = $1
"""
FINDINGS = """
select finding_id, line, col as column, reason, detail from catalog.import_findings
where import_id = $1 and is_refusal = $2 and (line, finding_id) > ($3, $4)
order by line, finding_id limit $5
"""
TRY_LOCK = "select pg_try_advisory_lock($1)"
LOCK_KEY = 0x57_0C_C4_7A  # one import at a time, on whichever process


@dataclass(frozen=True, slots=True, kw_only=True)
class FindingRow:
    """A finding as it is kept."""

    line: int
    column: str | None
    is_refusal: bool
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StagedRow:
    """A row of a file that is a record, with what becomes of it."""

    line: int
    fate: str
    row: RecordRow


async def try_lock(connection: Connection) -> bool:
    """Become the one who imports, for as long as this connection lives."""
    taken: bool = await connection.fetchval(TRY_LOCK, LOCK_KEY)
    return taken


async def begin(
    connection: Connection, kind: str, name: str | None, sha256: bytes, *,
    is_partial: bool, is_dry_run: bool,
) -> int:  # fmt: skip
    """A new import that is being checked; the caller holds the lock."""
    await fail_left(connection)
    import_id: int = await connection.fetchval(BEGIN, kind, name, sha256, is_partial, is_dry_run)
    return import_id


async def fail_left(connection: Connection) -> None:
    """The caller holds the lock: whoever was checking has died over it."""
    await connection.execute(FAIL_LEFT)


async def kind_of(connection: Connection, import_id: int) -> str:
    """The kind of an import's rows."""
    kind: str = await connection.fetchval(KIND, import_id)
    return kind


async def earlier(connection: Connection, kind: str, sha256: bytes) -> int | None:
    """The latest import of the same file."""
    found: int | None = await connection.fetchval(EARLIER, kind, sha256)
    return found


async def versions(
    connection: Connection, kind: str, ids: Sequence[str]
) -> dict[str, tuple[int, bytes]]:
    """Revision and content of the records that are kept."""
    rows = await connection.fetch(VERSIONS, kind, ids)
    return {row[0]: (row[1], row[2]) for row in rows}


async def unknown_of(
    connection: Connection, things: Collection[tuple[str, str]]
) -> set[tuple[str, str]]:
    """Those of the (kind, thing) that no record tells of."""
    rows = await connection.fetch(UNKNOWN, [k for k, _ in things], [t for _, t in things])
    return {(row[0], row[1]) for row in rows}


async def stage(
    connection: Connection, import_id: int, rows: Sequence[StagedRow],
    references: Sequence[tuple[int, str, str, str]],
) -> None:  # fmt: skip
    """Keep rows, and what they name (line, column, kind, thing)."""
    await connection.copy_records_to_table(
        "import_rows", schema_name="catalog", records=[_staged(import_id, one) for one in rows],
        columns=["import_id", "line", "fate", "record_id", "thing", "from_at", "until_at",
                 "revision", "is_deleted", "claim", "code", "content_sha256", "record"],
    )  # fmt: skip
    if references:
        await connection.copy_records_to_table(
            "import_references", schema_name="catalog",
            records=[(import_id, *one) for one in references],
        )  # fmt: skip


def _staged(import_id: int, one: StagedRow) -> tuple[object, ...]:
    row = one.row
    return (
        import_id, one.line, one.fate, row.record_id, row.thing, row.begins, row.ends,
        row.revision, row.is_deleted, row.claim, row.code, row.content, row.record,
    )  # fmt: skip


async def find(connection: Connection, import_id: int, findings: Sequence[FindingRow]) -> None:
    """Keep what was found."""
    if findings:
        await connection.copy_records_to_table(
            "import_findings", schema_name="catalog",
            records=[
                (import_id, one.is_refusal, one.line, one.column, one.reason, one.detail[:1000])
                for one in findings
            ],
            columns=["import_id", "is_refusal", "line", "col", "reason", "detail"],
        )  # fmt: skip


async def note_read(
    connection: Connection, import_id: int, rows: int, facts: Mapping[str, str]
) -> None:
    """How far the reading has come."""
    await connection.execute(READ, import_id, rows, json.dumps(dict(facts)))


async def warn_of_dangling(
    connection: Connection, import_id: int, kind: str, *, after: int, until: int
) -> None:
    """A warning for each name in a window that neither the referential nor this file tells of."""
    await connection.execute(DANGLING, import_id, kind, after, until)


async def count(connection: Connection, import_id: int) -> dict[str, int]:
    """Rows by fate; `refused` counts lines, also those that are no record."""
    rows = await connection.fetch(COUNTS, import_id)
    found = {row["fate"]: row["rows"] for row in rows if row["fate"] != "refused"}
    refused: int = await connection.fetchval(REFUSED_LINES, import_id)
    return found | {"refused": refused}


async def settle(
    connection: Connection, import_id: int, status: str, counts: Mapping[str, int],
    facts: Mapping[str, str],
) -> bool:  # fmt: skip
    """End the checking. `accepted` is the one moment from which all rows will be sent."""
    found = await connection.fetchval(
        SETTLE, import_id, status, json.dumps(dict(counts)), json.dumps(dict(facts))
    )
    return found is not None


async def left_accepted(connection: Connection) -> list[int]:
    """Imports that were accepted and not yet wholly applied."""
    return [row[0] for row in await connection.fetch(LEFT)]


async def left_rows(connection: Connection) -> list[int]:
    """Imports that are settled and whose rows are still there."""
    return [row[0] for row in await connection.fetch(FORGOTTEN)]


async def next_records(
    connection: Connection, import_id: int, *, after: int, limit: int
) -> dict[str, tuple[str, bytes | None]]:
    """The records of the next slice that would enter, with what they claim."""
    rows = await connection.fetch(NEXT_ROWS, import_id, limit, after)
    return {row["record_id"]: (row["record"], row["claim"]) for row in rows}


async def apply_slice(
    connection: Connection, import_id: int, *, after: int, limit: int, now: datetime,
    without: Sequence[str],
) -> int | None:  # fmt: skip
    """Let the next rows enter, and have them published; returns the last line, None for none.

    A record that somebody told meanwhile under the same revision or a higher one is overtaken, as
    are those `without` which the slice enters; both are counted.
    """
    row = await connection.fetchrow(APPLY, import_id, limit, now, list(without), after)
    assert row is not None, "a select of counts gives a row"
    if (overtaken := row["wanted"] - row["kept"]) > 0:
        await connection.execute(OVERTAKEN, import_id, overtaken)
    last: int | None = row["last_line"]
    return last


async def note_applied(connection: Connection, import_id: int) -> bool:
    """All rows have entered."""
    return await connection.fetchval(APPLIED, import_id) is not None


async def forget_rows(connection: Connection, import_id: int, limit: int) -> bool:
    """Delete rows that will never enter, some of them; says whether there were any."""
    status: str = await connection.execute(FORGET_ROWS, import_id, limit)
    await connection.execute(FORGET_REFERENCES, import_id)
    return not status.endswith(" 0")


async def report(connection: Connection, import_id: int) -> dict[str, object] | None:
    """The import as it stands, with how many refusals and warnings there are."""
    row = await connection.fetchrow(REPORT, import_id)
    if row is None:
        return None
    totals = {one[0]: one[1] for one in await connection.fetch(TOTALS, import_id)}
    return dict(row) | {
        "counts": json.loads(row["counts"]), "facts": json.loads(row["facts"]),
        "refusals_total": totals.get(True, 0), "warnings_total": totals.get(False, 0),
    }  # fmt: skip


async def findings(
    connection: Connection, import_id: int, *, is_refusal: bool, after: tuple[int, int], limit: int
) -> list[dict[str, object]]:
    """Refusals or warnings by line, from after the one named (line, finding)."""
    rows = await connection.fetch(FINDINGS, import_id, is_refusal, *after, limit)
    return [dict(row) for row in rows]
