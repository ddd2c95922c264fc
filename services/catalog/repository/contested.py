"""Rows of a file that can't all be right: one record told twice, one claim made by several."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.postgres.connecting import Connection

LAST_LINE = "select coalesce(max(line), 0) from catalog.import_rows where import_id = $1"
# Looked at in windows of lines, so that no statement takes long whatever the file's size.
TWICE = """
select o.record_id, array_agg(o.line order by o.line) as lines,
       count(distinct (o.content_sha256, o.revision)) as versions
from catalog.import_rows o
where o.import_id = $1 and o.fate not in ('repeated', 'refused') and o.record_id in (
    select w.record_id from catalog.import_rows w
    where w.import_id = $1 and w.line > $2 and w.line <= $3
      and w.fate not in ('repeated', 'refused')
      and exists (select from catalog.import_rows t
                  where t.import_id = $1 and t.record_id = w.record_id and t.line <> w.line))
group by o.record_id having count(*) > 1 order by o.record_id
"""
MARK = """
update catalog.import_rows set fate = $3 where import_id = $1 and line = any($2::bigint[])
"""
# Rows that would enter with a claim which another row or a kept record makes too.
CONTESTED = """
select w.line, w.record_id, w.claim, w.record from catalog.import_rows w
where w.import_id = $1 and w.claim is not null and not w.is_deleted
  and w.fate in ('new', 'changed') and w.line > $2 and w.line <= $3
  and (exists (select from catalog.import_rows o
               where o.import_id = $1 and o.claim = w.claim and o.record_id <> w.record_id
                 and not o.is_deleted)
       or exists (select from catalog.records r
                  where r.claim = w.claim and r.record_id <> w.record_id and not r.is_deleted))
order by w.line limit $4
"""
# A kept record that the file changes speaks as the file says.
OTHERS = """
select o.claim, o.record_id, o.line, o.record from catalog.import_rows o
where o.import_id = $1 and o.claim = any($2::bytea[]) and not o.is_deleted and o.fate <> 'repeated'
union all
select r.claim, r.record_id, null, r.record::text from catalog.records r
where r.claim = any($2::bytea[]) and not r.is_deleted
  and not exists (select from catalog.import_rows o
                  where o.import_id = $1 and o.record_id = r.record_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Twice:
    """One record on several lines; they say the same, or they don't."""

    record_id: str
    lines: list[int]
    is_same: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Claiming:
    """A record that makes a claim: on a line of the file, or kept (None)."""

    claim: bytes
    record_id: str
    line: int | None
    record: str


async def last_line(connection: Connection, import_id: int) -> int:
    """The last line of the file that holds a record."""
    found: int = await connection.fetchval(LAST_LINE, import_id)
    return found


async def told_twice(
    connection: Connection, import_id: int, *, after: int, until: int
) -> list[Twice]:
    """Records that several rows tell, one of them in the window, and that aren't marked yet."""
    rows = await connection.fetch(TWICE, import_id, after, until)
    return [
        Twice(record_id=row["record_id"], lines=row["lines"], is_same=row["versions"] == 1)
        for row in rows
    ]


async def mark(connection: Connection, import_id: int, lines: Sequence[int], fate: str) -> None:
    """What becomes of these rows."""
    await connection.execute(MARK, import_id, lines, fate)


async def contested(
    connection: Connection, import_id: int, *, after: int, until: int, limit: int
) -> list[Claiming]:
    """Rows of the window whose claim somebody else makes too, at whatever time, by line."""
    rows = await connection.fetch(CONTESTED, import_id, after, until, limit)
    return [
        Claiming(
            claim=row["claim"], record_id=row["record_id"], line=row["line"], record=row["record"]
        )
        for row in rows
    ]


async def claiming(
    connection: Connection, import_id: int, claims: Sequence[bytes]
) -> list[Claiming]:
    """Everything that makes one of these claims once the file has entered."""
    rows = await connection.fetch(OTHERS, import_id, claims)
    return [
        Claiming(
            claim=row["claim"], record_id=row["record_id"], line=row["line"], record=row["record"]
        )
        for row in rows
    ]
