"""Count sheets, and what counts have found."""

from datetime import datetime
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
COUNTS = """
select a.event_id, s.sku, lo.location, acc.bucket, a.quantity as counted, a.moment as at,
       v.variance, m.recorded_at, m.details -> 'document' as document,
       m.details -> 'reason' as reason, src.source, p.states
from ledger.anchors a
join ledger.levels l using (level_id) join ledger.skus s using (sku_id)
join ledger.locations lo using (location_id) join ledger.accounts acc using (account_id)
left join ledger.movements m on m.event_id = a.event_id
left join ledger.sources src on src.source_id = m.source_id
left join lateral (
    select coalesce(sum(case when e.to_level = a.level_id and e.to_account = a.account_id
                             then e.quantity else -e.quantity end), 0)::bigint as variance
    from ledger.movements e
    where ((e.to_level = a.level_id and e.to_account = a.account_id)
           or (e.from_level = a.level_id and e.from_account = a.account_id))
      and e.recorded_at >= a.moment - interval '5 minutes'
      and e.occurred_at = a.moment and e.type = 'count') v on true
left join lateral (
    select states from ledger.cost_points
    where sku_id = l.sku_id and at <= a.moment order by at desc limit 1) p on true
where a.type = 'count' and ($1::text is null or lo.location = $1)
  and ($2::text is null or s.sku = $2) and a.moment >= $3
  and (a.moment, a.event_id) > ($4, $5)
order by a.moment, a.event_id limit $6
"""


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
