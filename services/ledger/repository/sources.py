"""Who tells: declared records, when each was last heard, and the numbers of their messages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from services.ledger.domain.sequences import Gap, Progress
from shared.postgres.connecting import Connection

# Of two records with one key the higher revision wins, of equals the later told.
KEEP = """
insert into ledger.source_records as r (record_id, source, revision, record)
select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bytea[]) order by 1
on conflict (record_id) do update
    set source = excluded.source, revision = excluded.revision, record = excluded.record
    where r.revision <= excluded.revision and r.record <> excluded.record
returning 1
"""
RAISE = "update ledger.source_terms set version = version + 1"
VERSION = "select version from ledger.source_terms"
RECORDS = "select record from ledger.source_records order by record_id"
NOTE_HEARD = """
update ledger.sources s set heard_at = i.heard_at
from (select l.source_id, told.heard_at
      from unnest($1::integer[], $2::timestamptz[]) as told(source_id, heard_at)
      join ledger.sources l using (source_id)
      where l.heard_at is null or l.heard_at < told.heard_at
      order by l.source_id for update of l) i
where s.source_id = i.source_id
"""
LEAVE = """
insert into ledger.heard_sequences (source_id, numbers)
select source_id, array_agg(number order by number)
from unnest($1::integer[], $2::bigint[]) as i(source_id, number) group by source_id
"""
TAKE = """
delete from ledger.heard_sequences where heard_no in (
    select heard_no from ledger.heard_sequences order by heard_no limit $1
    for update skip locked)
returning source_id, numbers, heard_at
"""
# Made before they are locked, so that the first two who hear of a source don't both insert.
MAKE = """
insert into ledger.sequences (source_id, lowest, highest)
select distinct source_id, lowest, lowest
from unnest($1::integer[], $2::bigint[]) as i(source_id, lowest) order by source_id
on conflict do nothing
"""
LOCK = "select * from ledger.sequences where source_id = any($1) order by source_id for update"
SAVE = """
update ledger.sequences set lowest = $2, highest = $3, missing_from = $4, missing_to = $5,
    missing_since = $6, given_up = $7
where source_id = $1
"""
LIST = """
select s.source, s.heard_at, q.lowest, q.highest, q.missing_from, q.missing_to,
       q.missing_since, q.given_up
from ledger.sources s left join ledger.sequences q using (source_id)
where s.source > $1 order by s.source limit $2
"""
# Our own services tell what follows from others' words.
UNDECLARED = """
select count(*) from ledger.sources s where source not like 'stocktide:%' and heard_at is not null
    and not exists (select from ledger.source_records r where r.source = s.source)
"""
GAPS = """
select count(*) from ledger.sequences, unnest(missing_since) as gap(since)
where since < now() - make_interval(secs => $1)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptSource:
    """One record of a source as it came."""

    record_id: str
    source: str
    revision: int
    record: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRow:
    """What is known of one source besides its records."""

    source: str
    heard_at: datetime | None
    progress: Progress | None


async def keep_records(connection: Connection, records: Sequence[KeptSource]) -> None:
    """Keep what is news; one record a key."""
    news = await connection.fetch(
        KEEP, [r.record_id for r in records], [r.source for r in records],
        [r.revision for r in records], [r.record for r in records],
    )  # fmt: skip
    if news:
        await connection.execute(RAISE)


async def records_version(connection: Connection) -> int:
    """Another number when any record has changed."""
    found: int = await connection.fetchval(VERSION)
    return found


async def all_records(connection: Connection) -> list[bytes]:
    """Every record of every source."""
    return [row[0] for row in await connection.fetch(RECORDS)]


async def note_heard(connection: Connection, heard: Mapping[int, datetime]) -> None:
    """When each source was last heard; never falls."""
    await connection.execute(NOTE_HEARD, list(heard), list(heard.values()))


async def leave_numbers(connection: Connection, numbers: Sequence[tuple[int, int]]) -> None:
    """Leave (source_id, number) pairs of a batch to be worked off."""
    await connection.execute(LEAVE, [s for s, _ in numbers], [n for _, n in numbers])


async def take_numbers(connection: Connection, limit: int) -> dict[int, tuple[list[int], datetime]]:
    """Numbers that batches left, taken away, and when the first of them was heard, by source."""
    found: dict[int, tuple[list[int], datetime]] = {}
    for source_id, numbers, heard_at in await connection.fetch(TAKE, limit):
        before = found.get(source_id)
        if before is None:
            found[source_id] = (list(numbers), heard_at)
        else:
            found[source_id] = ([*before[0], *numbers], min(before[1], heard_at))
    return found


async def lock_progress(connection: Connection, lowest: Mapping[int, int]) -> dict[int, Progress]:
    """The progress of each source, locked; a new one begins at its number in `lowest`."""
    await connection.execute(MAKE, list(lowest), list(lowest.values()))
    rows = await connection.fetch(LOCK, list(lowest))
    return {row["source_id"]: _progress(row) for row in rows}


async def save_progress(connection: Connection, source_id: int, progress: Progress) -> None:
    """Write the progress of a source whose row is locked."""
    gaps = progress.gaps
    await connection.execute(
        SAVE, source_id, progress.lowest, progress.highest, [gap.first for gap in gaps],
        [gap.last for gap in gaps], [gap.since for gap in gaps], progress.given_up,
    )  # fmt: skip


async def list_sources(connection: Connection, *, after: str, limit: int) -> list[SourceRow]:
    """Sources that were heard or declared, by name."""
    return [
        SourceRow(
            source=row["source"], heard_at=row["heard_at"],
            progress=None if row["lowest"] is None else _progress(row),
        )
        for row in await connection.fetch(LIST, after, limit)
    ]  # fmt: skip


async def undeclared(connection: Connection) -> int:
    """Sources that were heard and that nobody has declared; our own services apart."""
    found: int = await connection.fetchval(UNDECLARED)
    return found


async def open_gaps(connection: Connection, older_than_seconds: float) -> int:
    """Gaps in sources' numbers that are older than what disorder between partitions explains."""
    found: int = await connection.fetchval(GAPS, older_than_seconds)
    return found


def _progress(row: asyncpg.Record) -> Progress:
    missing = zip(row["missing_from"], row["missing_to"], row["missing_since"], strict=True)
    return Progress(
        lowest=row["lowest"], highest=row["highest"], given_up=row["given_up"],
        gaps=tuple(Gap(first=one, last=other, since=since) for one, other, since in missing),
    )  # fmt: skip
