"""Attempts and order lines that are older than is kept, forgotten in slices."""

from datetime import datetime

from shared.postgres.connecting import Connection

# An open attempt stays however old it is: its outcome is still asked for.
PRUNE_ATTEMPTS = """
with old as materialized (
    select listing_id, call_id from publication.attempts
    where opened_at < $1 and closed_at < $1
    order by opened_at limit $2 for update skip locked),
gone as (
    delete from publication.attempts a using old o
    where a.listing_id = o.listing_id and a.call_id = o.call_id)
select count(*) from old
"""
# By key, because nothing else asks for the age of a line. One that waits to be counted stays, if
# its channel is one that anybody counts for.
PRUNE_LINES = """
with slice as materialized (
    select order_id, line_id, channel, due_at, greatest(recorded_at, changed_at) as at
    from publication.order_lines where (order_id, line_id) > ($2, $3)
    order by order_id, line_id limit $4),
gone as (
    delete from publication.order_lines o using slice s
    where o.order_id = s.order_id and o.line_id = s.line_id and s.at < $1
      and o.due_at is not distinct from s.due_at
      and (s.due_at is null or s.channel is null
           or s.channel not in (select channel from publication.leases))
    returning 1)
select s.order_id, s.line_id, (select count(*) from slice) as seen,
       (select count(*) from gone) as gone
from slice s order by s.order_id desc, s.line_id desc limit 1
"""

Key = tuple[str, str]
FIRST: Key = ("", "")


async def prune_attempts(connection: Connection, before: datetime, limit: int) -> int:
    """Forget closed attempts of before; how many."""
    count: int = await connection.fetchval(PRUNE_ATTEMPTS, before, limit)
    return count


async def prune_lines(
    connection: Connection, before: datetime, after: Key, limit: int
) -> tuple[Key | None, int]:
    """Forget lines of before in the slice after a key; its last key, None at the end, and how
    many went.
    """
    row = await connection.fetchrow(PRUNE_LINES, before, *after, limit)
    if row is None:
        return None, 0
    last = None if row["seen"] < limit else (row["order_id"], row["line_id"])
    return last, row["gone"]
