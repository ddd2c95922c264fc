"""Why a level is what it is: every term with the events behind it, read in short statements."""

from datetime import datetime

from shared.postgres.connecting import Connection

LEVELS = """
select l.level_id, s.sku, lo.location, l.version, l.sellable, l.reserved, l.allocated,
       l.anchored_at
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where s.sku = $1 and ($2::text is null or lo.location = $2) order by lo.location
"""
MANY = """
select s.sku, lo.location, l.version, l.sellable, l.reserved, l.allocated
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where s.sku = any($1::text[]) order by s.sku, lo.location limit 10000
"""
# Both directions of every movement of the level, by account, type and whether it restates.
TERMS = """
select a.bucket, a.owner, d.type, d.restates is not null as restates,
       sum(d.delta)::bigint as quantity, count(*) as movements,
       (array_agg(d.event_id::text order by d.event_id desc))[1:$3] as latest
from (
    select to_account as account_id, type, restates, quantity as delta, event_id
    from ledger.movements
    where to_level = $1 and ($2::timestamptz is null or recorded_at <= $2)
    union all
    select from_account, type, restates, -quantity, event_id from ledger.movements
    where from_level = $1 and ($2::timestamptz is null or recorded_at <= $2)) d
join ledger.accounts a using (account_id)
group by a.account_id, a.bucket, a.owner, d.type, d.restates is not null
order by a.account_id, d.type
"""
LINES = """
select o.order_id, o.line_id, o.wanted, o.shipped, o.short, a.quantity as allocated
from ledger.allocations a join ledger.order_lines o using (order_line_id)
where a.level_id = $1 order by o.order_line_id limit 200
"""
SHORT_AND_UNSOURCED = """
select coalesce(sum(short), 0)::bigint as short, coalesce(sum(unsourced), 0)::bigint as unsourced
from ledger.order_lines o join ledger.skus s using (sku_id) where s.sku = $1
"""
EVENTS_SHOWN = 20


async def read_levels(connection: Connection, skus: list[str]) -> list[dict[str, object]]:
    """Levels of these SKUs, at most 10,000."""
    return [dict(row) for row in await connection.fetch(MANY, skus)]


async def explain(
    connection: Connection, sku: str, location: str | None, at: datetime | None
) -> dict[str, object]:
    """The SKU's levels term by term. `at` answers from what was recorded by then."""
    levels: list[dict[str, object]] = []
    for row in await connection.fetch(LEVELS, sku, location):
        level_id = row["level_id"]
        terms = await connection.fetch(TERMS, level_id, at, EVENTS_SHOWN)
        lines = await connection.fetch(LINES, level_id) if at is None else []
        told = {key: row[key] for key in row.keys() if key != "level_id"}  # noqa: SIM118  (a Record iterates values)
        levels.append(
            told | {"terms": [dict(term) for term in terms], "lines": [dict(x) for x in lines]}
        )
    totals = await connection.fetchrow(SHORT_AND_UNSOURCED, sku)
    assert totals is not None, "an aggregate gives a row"
    return {"sku": sku, "at": at, "levels": levels, **dict(totals)}
