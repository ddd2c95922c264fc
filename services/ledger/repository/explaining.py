"""Why a level is what it is: every term with the events behind it, read in short statements."""

from collections.abc import Sequence
from datetime import datetime

import asyncpg

from services.ledger.repository.suspensions import IS_SUSPENDED
from shared.postgres.connecting import Connection

# Holds whose time is over are subtracted, whether or not they are settled yet.
OVER = """(
    select coalesce(sum(h.quantity - h.used), 0)::bigint from ledger.holds h
    where h.level_id = l.level_id and h.settled_at is null and h.held_until <= {now})"""
LEVELS = f"""
select l.level_id, s.sku, lo.location, l.version, l.sellable,
       l.reserved - {OVER.format(now="$3")} as reserved, l.allocated, l.anchored_at,
       {IS_SUSPENDED} as suspended
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where s.sku = $1 and ($2::text is null or lo.location = $2) order by lo.location
"""  # noqa: S608  (only this package's own constants are put into the text)
MANY = f"""
select s.sku, lo.location, l.version, l.sellable, l.reserved - {OVER.format(now="$2")} as reserved,
       l.allocated
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
where s.sku = any($1::text[]) order by s.sku, lo.location limit 10000
"""  # noqa: S608  (as above)
# Both directions of every movement of the level, by account, type and whether it restates, on top
# of the balance at the end of the last month whose movements were detached.
TERMS = """
select a.bucket, a.owner, d.type, d.restates is not null as restates,
       sum(d.delta)::bigint as quantity, sum(d.movements)::bigint as movements,
       coalesce((array_agg(d.event_id::text order by d.event_id desc)
                 filter (where d.event_id is not null))[1:$3], '{}') as latest,
       max(d.closed) as closed_month, max(d.recorded_until) as recorded_until
from (
    select to_account as account_id, type, restates, quantity as delta, event_id, 1 as movements,
           null::date as closed, null::timestamptz as recorded_until
    from ledger.movements
    where to_level = $1 and ($2::timestamptz is null or recorded_at <= $2)
    union all
    select from_account, type, restates, -quantity, event_id, 1, null, null from ledger.movements
    where from_level = $1 and ($2::timestamptz is null or recorded_at <= $2)
    union all
    select * from (
        select distinct on (c.account_id) c.account_id, 'closing_balance', null::uuid, c.quantity,
               null::uuid, c.movements, c.month, c.recorded_until
        from ledger.closing_balances c join ledger.closed_months m using (month)
        where c.level_id = $1 and m.detached_at is not null
        order by c.account_id, c.month desc) closed) d
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
# As it stood then: what was booked for lines, and which holds had begun and were not settled.
BOOKED_AT = """
select b.level_id, sum(b.delta)::bigint as units
from ledger.booking_log b join ledger.skus s using (sku_id)
where s.sku = $1 and b.recorded_at <= $2 group by b.level_id
"""
RESERVED_AT = """
select h.level_id, sum(h.quantity - coalesce(used.units, 0))::bigint as units
from ledger.holds h join ledger.skus s using (sku_id)
left join lateral (
    select sum(u.quantity) as units from ledger.fence_uses u
    where h.purpose = 'ring_fence' and u.fence_id = h.hold_id and u.fence_part = h.part
      and u.used_at <= $2 and (u.given_back_at is null or u.given_back_at > $2)
) used on true
where s.sku = $1 and h.level_id is not null and h.held_from <= $2
  and (h.settled_at is null or h.settled_at > $2)
  and (h.held_until is null or h.held_until > $2)
group by h.level_id
"""
# Where somebody looked in vain, the last time first: by what was recorded by then.
SUSPENSIONS = """
select p.at, p.order_id, p.line_id, p.recorded_at, exists (
           select from ledger.anchors c
           join ledger.movements m on m.event_id = c.event_id and ($2::timestamptz is null
                                                                   or m.recorded_at <= $2)
           where c.level_id = p.level_id and c.account_id = 1 and c.moment >= p.at) as is_counted
from ledger.suspensions p
where p.level_id = $1 and ($2::timestamptz is null or p.recorded_at <= $2)
order by p.at desc, p.order_id, p.line_id limit $3
"""
EVENTS_SHOWN = 20


async def figures_at(
    connection: Connection, sku: str, location: str, now: datetime
) -> tuple[int, int, int] | None:
    """sellable, reserved and allocated of one level; None where there is none."""
    for row in await connection.fetch(MANY, [sku], now):
        if row["location"] == location:
            return row["sellable"], row["reserved"], row["allocated"]
    return None


async def read_levels(
    connection: Connection, skus: list[str], now: datetime
) -> list[dict[str, object]]:
    """Levels of these SKUs, at most 10,000, without holds that are over."""
    return [dict(row) for row in await connection.fetch(MANY, skus, now)]


async def explain(
    connection: Connection, sku: str, location: str | None, at: datetime | None, now: datetime
) -> dict[str, object]:
    """The SKU's levels term by term. `at` answers from what was recorded by then, as far back as
    movements and bookings are kept: `is_complete` is false where closed months hold later records.
    """
    booked, reserved = await _as_of(connection, sku, at)
    levels: list[dict[str, object]] = []
    for row in await connection.fetch(LEVELS, sku, location, now):
        level_id = row["level_id"]
        terms = await connection.fetch(TERMS, level_id, at, EVENTS_SHOWN)
        told = {name: value for name, value in row.items() if name != "level_id"}
        told |= {"terms": [dict(term) for term in terms], "is_complete": _is_complete(terms, at)}
        shorts = await connection.fetch(SUSPENSIONS, level_id, at, EVENTS_SHOWN)
        told["shorts"] = [dict(short) for short in shorts]
        if at is None:
            told["lines"] = [dict(line) for line in await connection.fetch(LINES, level_id)]
        else:
            told |= {
                "version": None, "anchored_at": None, "sellable": _sellable(terms),
                "reserved": reserved.get(level_id, 0), "allocated": booked.get(level_id, 0),
                "lines": [], "suspended": any(not short["is_counted"] for short in shorts),
            }  # fmt: skip
        levels.append(told)
    if at is not None:
        return {"sku": sku, "at": at, "levels": levels, "unsourced": booked.get(None, 0)}
    totals = await connection.fetchrow(SHORT_AND_UNSOURCED, sku)
    assert totals is not None, "an aggregate gives a row"
    return {"sku": sku, "at": at, "levels": levels, **dict(totals)}


async def _as_of(
    connection: Connection, sku: str, at: datetime | None
) -> tuple[dict[int | None, int], dict[int, int]]:
    """What was booked and reserved at each level at a moment."""
    if at is None:
        return {}, {}
    booked = {row[0]: row[1] for row in await connection.fetch(BOOKED_AT, sku, at)}
    reserved = {row[0]: row[1] for row in await connection.fetch(RESERVED_AT, sku, at)}
    return booked, reserved


def _sellable(terms: Sequence[asyncpg.Record]) -> int:
    """The account that is sold from."""
    return sum(
        term["quantity"]
        for term in terms
        if term["bucket"] == "sellable" and term["owner"] == "own"
    )


def _is_complete(terms: Sequence[asyncpg.Record], at: datetime | None) -> bool:
    """Was everything that closed months hold recorded by then?"""
    later = (t["recorded_until"] for t in terms if t["recorded_until"] is not None)
    return at is None or all(recorded <= at for recorded in later)
