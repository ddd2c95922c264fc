"""What is on its way between places: how long already, and what cannot be right."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta

from shared.postgres.connecting import Connection

# Units at their destination's `in_transit`, with the last time that any were dispatched there.
# Below 0 more has come than was ever dispatched.
IN_TRANSIT = """
from ledger.balances b join ledger.accounts a using (account_id)
join ledger.levels l using (level_id) join ledger.skus s using (sku_id)
join ledger.locations lo using (location_id)
left join lateral (
    select max(m.occurred_at) as dispatched_at from ledger.movements m
    where m.to_level = l.level_id and m.to_account = b.account_id and m.quantity > 0) d on true
where a.bucket = 'in_transit' and a.owner = 'own' and b.quantity <> 0
"""
WRONG = "(b.quantity < 0 or d.dispatched_at is null or d.dispatched_at < $1)"
LIST = f"""
select l.level_id, s.sku, lo.location, b.quantity, d.dispatched_at,
       (select max(m.occurred_at) from ledger.movements m
        where m.from_level = l.level_id and m.from_account = b.account_id and m.quantity > 0)
           as received_at,
       {WRONG} as is_discrepancy
{IN_TRANSIT} and l.level_id > $2 and ($3::text is null or lo.location = $3)
  and (not $4 or {WRONG})
order by l.level_id limit $5
"""  # noqa: S608  (only this module's own constants are put into the text)
COUNT = f"select count(*) {IN_TRANSIT} and {WRONG}"


async def list_in_transit(
    connection: Connection,
    overdue_since: datetime,
    *,
    location: str | None,
    only_discrepancies: bool,
    after: int,
    limit: int,
) -> list[dict[str, object]]:
    """What is on its way to each place, from level number `after` on.

    A discrepancy is what was last dispatched before `overdue_since` and has not all come, or what
    has come without a dispatch.
    """
    rows = await connection.fetch(LIST, overdue_since, after, location, only_discrepancies, limit)
    return [dict(row) for row in rows]


def counter_of(
    overdue_after: timedelta, now: Callable[[], datetime]
) -> Callable[[Connection], Awaitable[int]]:
    """Counts SKUs on their way to a place that cannot be right."""

    async def counted(connection: Connection) -> int:
        found: int = await connection.fetchval(COUNT, now() - overdue_after)
        return found

    return counted
