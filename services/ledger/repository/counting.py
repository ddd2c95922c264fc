"""Count sheets, and what counts have found."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.ledger.repository.suspensions import IS_SUSPENDED
from shared.postgres.connecting import Connection

# What has ever had units at a place that are not all gone, or is looked for there; without figures:
# who counts must not know what is expected.
SHEET = f"""
select s.sku from ledger.levels l
join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where lo.location = $1 and s.sku > $2 and ({IS_SUSPENDED} or not $3 and (
    l.sellable <> 0
    or exists (select from ledger.balances b where b.level_id = l.level_id and b.quantity <> 0)))
order by s.sku limit $4
"""  # noqa: S608  (only another module's constant is put into the text)
# Everything that was entered at a count's moment is its variance: its own entry, what restates it.
# Once the count is closed, what was entered after that is not: it is late.
COUNTS = """
select a.event_id, s.sku, lo.location, acc.bucket, a.quantity as counted, a.moment as at,
       v.variance, m.recorded_at, m.details -> 'document' as document,
       m.details -> 'reason' as reason, src.source, p.states, z.closed_at, v.late
from ledger.anchors a
join ledger.levels l using (level_id) join ledger.skus s using (sku_id)
join ledger.locations lo using (location_id) join ledger.accounts acc using (account_id)
left join ledger.movements m on m.event_id = a.event_id
left join ledger.sources src on src.source_id = m.source_id
left join lateral (
    select array_agg(row(e.recorded_at,
                         case when e.to_level = a.level_id and e.to_account = a.account_id
                              then e.quantity else -e.quantity end)) as entries,
           min(e.recorded_at) as first_at
    from ledger.movements e
    where ((e.to_level = a.level_id and e.to_account = a.account_id)
           or (e.from_level = a.level_id and e.from_account = a.account_id))
      and e.recorded_at >= a.moment - interval '5 minutes'
      and e.occurred_at = a.moment and e.type = 'count') f on true
left join lateral (
    select min(c.closed_at) as closed_at from ledger.count_closings c
    where c.location_id = l.location_id and c.until >= a.moment and c.closed_at >= f.first_at
    ) z on true
left join lateral (
    select coalesce(sum(units) filter (where closed_at is null or entered_at <= closed_at),
                    0)::bigint as variance,
           coalesce(sum(units) filter (where entered_at > closed_at), 0)::bigint as late
    from unnest(f.entries) as e(entered_at timestamptz, units bigint)) v on true
left join lateral (
    select states from ledger.cost_points
    where sku_id = l.sku_id and at <= a.moment order by at desc limit 1) p on true
where a.type = 'count' and ($1::text is null or lo.location = $1)
  and ($2::text is null or s.sku = $2) and a.moment >= $3
  and (a.moment, a.event_id) > ($4, $5)
order by a.moment, a.event_id limit $6
"""


CLOSE = """
insert into ledger.count_closings (location_id, until)
select location_id, $2 from ledger.locations where location = $1 returning closed_at
"""
CLOSED = """
select count(*) from ledger.anchors a join ledger.levels l using (level_id)
join ledger.locations lo using (location_id)
where lo.location = $1 and a.type = 'count' and a.moment <= $2
"""
# Counts that were closed lately, and have been entered to since.
LATE = """
select count(*) from (
    select distinct e.occurred_at, coalesce(e.to_level, e.from_level)
    from ledger.count_closings c join ledger.levels l using (location_id)
    join ledger.movements e on (e.to_level = l.level_id or e.from_level = l.level_id)
    where c.closed_at >= $1 and e.type = 'count' and e.occurred_at <= c.until
      and e.recorded_at > c.closed_at and exists (
          select from ledger.movements first
          where first.type = 'count' and first.occurred_at = e.occurred_at
            and (first.to_level = l.level_id or first.from_level = l.level_id)
            and first.recorded_at <= c.closed_at)) late
"""


async def close(
    connection: Connection, location: str, until: datetime
) -> tuple[datetime, int] | None:
    """Close the counts of a place up to a moment; since when, and how many they are. None where
    nobody knows the place.
    """
    closed_at: datetime | None = await connection.fetchval(CLOSE, location, until)
    if closed_at is None:
        return None
    return closed_at, await connection.fetchval(CLOSED, location, until)


def late_counter(
    now: Callable[[], datetime], looking_back: timedelta
) -> Callable[[Connection], Awaitable[int]]:
    """Counts the closed counts to which something late has come."""

    async def counted(connection: Connection) -> int:
        found: int = await connection.fetchval(LATE, now() - looking_back)
        return found

    return counted


async def sheet(
    connection: Connection, location: str, *, only_suspended: bool, after: str, limit: int
) -> list[str]:
    """The SKUs to count at a location, from the one after `after` on."""
    rows = await connection.fetch(SHEET, location, after, only_suspended, limit)
    return [row["sku"] for row in rows]


async def counts_since(
    connection: Connection,
    *,
    location: str | None,
    sku: str | None,
    since: datetime,
    after: tuple[datetime, UUID],
    limit: int,
) -> list[asyncpg.Record]:
    """Counts that stand, in the order of their moments; corrected ones as they are now."""
    rows: list[asyncpg.Record] = await connection.fetch(COUNTS, location, sku, since, *after, limit)
    return rows
