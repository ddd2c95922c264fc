"""Lots: what movements named of them, shelf by shelf; and the way of a lot or a serial number."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.lots import Lot, Shelf, on_shelf
from shared.postgres.connecting import Connection

SELLABLE = 1  # the account of our own units that may be sold
# Shelves of SKUs with lots that have changed, or whose day has come.
TO_LOOK_AT = """
select l.level_id from ledger.skus s join ledger.levels l using (sku_id)
left join ledger.lots_looked_at a using (level_id)
where s.tracks_lots and (a.version is distinct from l.version or a.again_at <= $1)
order by l.level_id limit $2
"""
# Units of our own that may be sold, by what movements named: in, less out; of a shelf that was
# opened lot by lot, what was named from then on.
NAMED = """
with opened as materialized (
    select to_level as level_id, max(occurred_at) as at from ledger.movements
    where to_level = any($1::integer[]) and to_account = $2 and details ? 'lot'
      and type = 'opening'
    group by 1)
select level_id, code, min(expires_on) as expires_on, sum(units)::bigint as units from (
    select to_level as level_id, details #>> '{lot,code}' as code,
           (details #>> '{lot,expires_on}')::date as expires_on, quantity as units,
           type = 'opening' as opens, occurred_at
    from ledger.movements
    where to_level = any($1::integer[]) and to_account = $2 and details ? 'lot'
    union all
    select from_level, details #>> '{lot,code}', (details #>> '{lot,expires_on}')::date, -quantity,
           type = 'opening', occurred_at
    from ledger.movements
    where from_level = any($1::integer[]) and from_account = $2 and details ? 'lot') sides
left join opened using (level_id)
where at is null or occurred_at > at or opens and occurred_at = at
group by level_id, code having sum(units) > 0
"""
LEVELS = """
select l.level_id, s.sku, lo.location, l.version, l.sellable, l.anchored_at,
       coalesce(a.short_dated, 0) as short_dated
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
left join ledger.lots_looked_at a using (level_id)
where l.level_id = any($1::integer[]) order by l.level_id
"""
LOOKED = """
insert into ledger.lots_looked_at as a (level_id, version, again_at, short_dated)
select * from unnest($1::integer[], $2::bigint[], $3::timestamptz[], $4::bigint[]) order by 1
on conflict (level_id) do update set version = excluded.version, again_at = excluded.again_at,
    short_dated = excluded.short_dated
"""
LOOK_AGAIN = "update ledger.lots_looked_at set again_at = '-infinity' where again_at is not null"
TRACKED = """
update ledger.skus s set tracks_lots = i.tracks
from unnest($1::text[], $2::boolean[]) as i(sku, tracks)
where s.sku = i.sku and s.tracks_lots <> i.tracks
"""
LISTED = """
select l.level_id from ledger.skus s join ledger.levels l using (sku_id)
join ledger.locations lo using (location_id)
where ($1::text is null and s.tracks_lots or s.sku = $1)
  and ($2::text is null or lo.location = $2) and l.level_id > $3 and l.sellable > 0
order by l.level_id limit $4
"""
TRACE = """
select m.event_id, m.type, m.quantity, m.occurred_at, m.recorded_at, c.source,
       f.location as from_location, x.bucket as from_bucket, t.location as to_location,
       y.bucket as to_bucket, m.details
from ledger.movements m join ledger.sources c using (source_id)
join ledger.accounts x on x.account_id = m.from_account
join ledger.accounts y on y.account_id = m.to_account
left join ledger.levels a on a.level_id = m.from_level
left join ledger.locations f on f.location_id = a.location_id
left join ledger.levels b on b.level_id = m.to_level
left join ledger.locations t on t.location_id = b.location_id
where coalesce(a.sku_id, b.sku_id) = (select sku_id from ledger.skus where sku = $1)
  and {named} and (m.occurred_at, m.event_id) > ($3, $4)
order by m.occurred_at, m.event_id limit $5
"""
OF_LOT = TRACE.format(named="m.details ? 'lot' and m.details #>> '{lot,code}' = $2")
OF_SERIAL = TRACE.format(
    named="m.details ? 'serials' and m.details -> 'serials' @> to_jsonb($2::text)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelved:
    """One shelf of a SKU with lots, as the book has it."""

    level_id: int
    sku: str
    location: str
    version: int
    counted_at: datetime | None
    short_dated: int
    """Units that were told last."""
    shelf: Shelf


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What was told of a shelf at a version, and when to look again."""

    level_id: int
    version: int
    again_at: datetime | None
    short_dated: int


async def to_look_at(connection: Connection, now: datetime, limit: int) -> list[int]:
    """Levels that have changed since they were looked at, or are due."""
    return [row[0] for row in await connection.fetch(TO_LOOK_AT, now, limit)]


async def read_shelves(connection: Connection, levels: Collection[int]) -> list[Shelved]:
    """These levels with their lots."""
    named: dict[int, list[Lot]] = {}
    for row in await connection.fetch(NAMED, list(levels), SELLABLE):
        lot = Lot(row["code"], row["expires_on"], row["units"])
        named.setdefault(row["level_id"], []).append(lot)
    return [
        Shelved(
            level_id=row["level_id"], sku=row["sku"], location=row["location"],
            version=row["version"], counted_at=row["anchored_at"], short_dated=row["short_dated"],
            shelf=on_shelf(named.get(row["level_id"], ()), row["sellable"]),
        )
        for row in await connection.fetch(LEVELS, list(levels))
    ]  # fmt: skip


async def note_looked(connection: Connection, looked: Sequence[Looked]) -> None:
    """Remember what was told."""
    await connection.execute(
        LOOKED, [one.level_id for one in looked], [one.version for one in looked],
        [one.again_at for one in looked], [one.short_dated for one in looked],
    )  # fmt: skip


async def look_again(connection: Connection) -> None:
    """Look at every shelf again on which anything expires: other days are asked for."""
    await connection.execute(LOOK_AGAIN)


async def keep_tracked(connection: Connection, tracked: Sequence[tuple[str, bool]]) -> None:
    """Which SKUs have lots that expire."""
    await connection.execute(TRACKED, [sku for sku, _ in tracked], [has for _, has in tracked])


async def shelves(
    connection: Connection, sku: str | None, location: str | None, after: int, limit: int
) -> list[Shelved]:
    """Shelves of one SKU, or of all with lots, from level number `after` on."""
    rows = await connection.fetch(LISTED, sku, location, after, limit)
    return await read_shelves(connection, [row[0] for row in rows])


async def trace(
    connection: Connection,
    sku: str,
    *,
    lot: str | None,
    serial: str | None,
    after: tuple[datetime, object],
    limit: int,
) -> list[dict[str, object]]:
    """Movements that named a lot, or a serial number, in the order in which they happened."""
    statement, named = (OF_LOT, lot) if lot is not None else (OF_SERIAL, serial)
    return [dict(row) for row in await connection.fetch(statement, sku, named, *after, limit)]
