"""Last words by location, silences, and the buffers that follow from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.postgres.connecting import Connection

NOTE = """
insert into ledger.heard as h (source_id, location_id, heard_at)
select s.source_id, l.location_id, i.heard_at
from unnest($1::text[], $2::text[], $3::timestamptz[]) as i(source, location, heard_at)
join ledger.sources s using (source) join ledger.locations l using (location)
order by 1, 2
on conflict (source_id, location_id) do update
    set heard_at = excluded.heard_at where h.heard_at < excluded.heard_at
"""
HEARD = """
select h.source_id, h.location_id, s.source, l.location, h.heard_at, q.since
from ledger.heard h join ledger.sources s using (source_id)
join ledger.locations l using (location_id)
left join ledger.silences q using (source_id, location_id)
where s.source = any($1::text[]) or q.since is not null
order by 1, 2
"""
RECORDS = "select record from ledger.reference where kind in ('location', 'calendar')"
BEGIN = """
insert into ledger.silences (source_id, location_id, since, sold_seconds)
values ($1, $2, $3, $4) on conflict do nothing
"""
# What the source itself has told to leave: another one's till goes on and needs no buffer.
SOLD = """
insert into ledger.silence_buffers (source_id, location_id, sku_id, sold)
select $1, $2, l.sku_id, sum(m.quantity)
from ledger.levels l join ledger.movements m on m.from_level = l.level_id
where l.location_id = $2 and m.source_id = $1 and m.type in ('sale', 'shipment')
  and m.recorded_at >= $4::timestamptz and m.occurred_at between $4 and $3::timestamptz
group by l.sku_id
on conflict do nothing
"""
# The demand expected since: what was sold in so much opening time before, over the opening time
# of the silence, rounded up.
GROW = """
update ledger.silence_buffers b set units = i.units
from (select b.sku_id, (b.sold * $3 + q.sold_seconds - 1) / q.sold_seconds as units
      from ledger.silence_buffers b join ledger.silences q using (source_id, location_id)
      where b.source_id = $1 and b.location_id = $2) i
where b.source_id = $1 and b.location_id = $2 and b.sku_id = i.sku_id and b.units < i.units
"""
# Who sold nothing there makes no book wrong by its silence: a warehouse that once sent a pallet.
STOP = """
update ledger.silences q set is_stopped = true
where q.source_id = $1 and q.location_id = $2 and not q.is_stopped
  and exists (select from ledger.silence_buffers b
              where b.source_id = q.source_id and b.location_id = q.location_id)
"""
END = "delete from ledger.silences where source_id = $1 and location_id = $2"
UNTOLD = """
with wanted as (
    select location_id, sku_id, sum(units)::bigint as units from ledger.silence_buffers
    where units > 0 group by 1, 2
    union all
    select distinct location_id, 0, 1::bigint from ledger.silences where is_stopped)
select location_id, sku_id, l.location, k.sku, coalesce(w.units, 0) as units,
       (extract(epoch from clock_timestamp()) * 1000000)::bigint as revision
from wanted w full join ledger.silences_told t using (location_id, sku_id)
join ledger.locations l using (location_id) left join ledger.skus k using (sku_id)
where coalesce(w.units, 0) <> coalesce(t.told, 0)
order by 1, 2 limit $1
"""
TOLD = """
with told as (
    select * from unnest($1::integer[], $2::integer[], $3::bigint[])
        as i(location_id, sku_id, units)),
ended as (
    delete from ledger.silences_told t using told i
    where t.location_id = i.location_id and t.sku_id = i.sku_id and i.units = 0)
insert into ledger.silences_told (location_id, sku_id, told)
select location_id, sku_id, units from told where units > 0 order by 1, 2
on conflict (location_id, sku_id) do update set told = excluded.told
"""
LIST = """
select s.source, l.location, q.since, q.is_stopped
from ledger.silences q join ledger.sources s using (source_id)
join ledger.locations l using (location_id) order by 1, 2
"""
COUNT = "select count(*) from ledger.silences"


@dataclass(frozen=True, slots=True, kw_only=True)
class LastWord:
    """When a source last spoke for a location; `since` where it is known to be silent there."""

    source_id: int
    location_id: int
    source: str
    location: str
    heard_at: datetime
    since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Untold:
    """What must be told: a buffer, or without a SKU that the location is not offered."""

    location_id: int
    sku_id: int
    location: str
    sku: str | None
    units: int
    revision: int


async def note_words(connection: Connection, heard: Mapping[tuple[str, str], datetime]) -> None:
    """When each source last spoke for each location; never falls."""
    await connection.execute(
        NOTE, [source for source, _ in heard], [place for _, place in heard],
        list(heard.values()),
    )  # fmt: skip


async def last_words(connection: Connection, sources: Sequence[str]) -> list[LastWord]:
    """The last words of these sources, and of whoever is silent."""
    return [LastWord(**dict(row)) for row in await connection.fetch(HEARD, sources)]


async def place_records(connection: Connection) -> list[bytes]:
    """Records of locations and calendars."""
    return [row[0] for row in await connection.fetch(RECORDS)]


async def begin(
    connection: Connection, word: LastWord, sold_since: datetime, sold_seconds: int
) -> None:
    """Note a silence with what the source sold there between `sold_since` and its last word."""
    await connection.execute(BEGIN, word.source_id, word.location_id, word.heard_at, sold_seconds)
    await connection.execute(SOLD, word.source_id, word.location_id, word.heard_at, sold_since)


async def grow(connection: Connection, word: LastWord, silent_seconds: int) -> None:
    """Raise the buffers of a silence to the demand expected in so much opening time."""
    await connection.execute(GROW, word.source_id, word.location_id, silent_seconds)


async def stop(connection: Connection, word: LastWord) -> None:
    """Note that the location is not offered at a distance, if the source used to sell there."""
    await connection.execute(STOP, word.source_id, word.location_id)


async def end(connection: Connection, word: LastWord) -> None:
    """A silence is over; its buffers go with it."""
    await connection.execute(END, word.source_id, word.location_id)


async def untold(connection: Connection, limit: int) -> list[Untold]:
    """What differs from what was told last."""
    return [Untold(**dict(row)) for row in await connection.fetch(UNTOLD, limit)]


async def note_told(connection: Connection, told: Sequence[Untold]) -> None:
    """It is on Kafka."""
    await connection.execute(
        TOLD, [one.location_id for one in told], [one.sku_id for one in told],
        [one.units for one in told],
    )  # fmt: skip


async def list_silences(connection: Connection) -> dict[str, list[dict[str, object]]]:
    """Who is silent where, by source."""
    found: dict[str, list[dict[str, object]]] = {}
    for row in await connection.fetch(LIST):
        told = {key: row[key] for key in ("location", "since", "is_stopped")}
        found.setdefault(row["source"], []).append(told)
    return found


async def count_silences(connection: Connection) -> int:
    """Silences that last, over all sources and locations."""
    found: int = await connection.fetchval(COUNT)
    return found
