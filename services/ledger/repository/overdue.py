"""Holds that have been open for longer than their kind allows."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta

from shared.postgres.connecting import Connection

OVERDUE = """
from ledger.holds h
join unnest($1::text[], $2::interval[]) as a(purpose, allowed) using (purpose)
where h.settled_at is null and h.level_id is not null and h.held_from + a.allowed < $3
  and (h.held_until is null or h.held_until > $3)
"""
COUNT = f"select h.purpose, count(distinct h.hold_id) as holds {OVERDUE} group by h.purpose"
LIST = f"""
with overdue as (
    select h.hold_no, h.hold_id, h.purpose, h.channel, h.beneficiary,
           h.quantity - h.used as quantity, h.held_from, h.held_until, h.sku_id, h.level_id
    {OVERDUE})
select o.hold_no, o.hold_id, s.sku, lo.location, o.quantity, o.purpose, o.channel, o.beneficiary,
       o.held_from, o.held_until
from overdue o join ledger.skus s using (sku_id) join ledger.levels l using (level_id)
join ledger.locations lo using (location_id)
where o.hold_no > $4 and ($5::text is null or lo.location = $5) order by o.hold_no limit $6
"""  # noqa: S608  (as above)

Allowed = Mapping[str, timedelta]  # by purpose


async def overdue_holds(
    connection: Connection, allowed: Allowed, now: datetime, after: int, location: str | None,
    limit: int,
) -> list[dict[str, object]]:  # fmt: skip
    """Open parts of overdue holds, the oldest first, from number `after` on."""
    rows = await connection.fetch(
        LIST, list(allowed), list(allowed.values()), now, after, location, limit
    )
    return [dict(row) for row in rows]


def counter_of(
    purpose: str, allowed: Allowed, now: Callable[[], datetime]
) -> Callable[[Connection], Awaitable[int]]:
    """Counts the overdue holds of one kind."""

    async def counted(connection: Connection) -> int:
        rows = await connection.fetch(COUNT, [purpose], [allowed[purpose]], now())
        return sum(row["holds"] for row in rows)

    return counted
