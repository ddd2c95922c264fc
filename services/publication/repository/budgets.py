"""How much of a channel's calls is spent: the publication ledger knows."""

from datetime import datetime

from shared.postgres.connecting import Connection

SPENT = """
select a.listing_id, count(*)::integer as calls
from publication.attempts a join publication.listings l using (listing_id)
where l.channel = $1 and a.opened_at >= $2 and a.outcome is distinct from 'shadowed'
group by a.listing_id
"""
# A call that is out or that failed has been a call all the same.
LAST_CALL = """
select extract(epoch from clock_timestamp() - a.opened_at)::float8 as seconds
from publication.attempts a join publication.listings l using (listing_id)
where a.opened_at > clock_timestamp() - $2::float8 * interval '1 second'
  and l.channel = $1 and a.outcome is distinct from 'shadowed'
order by a.opened_at desc limit 1
"""


async def spent_since(connection: Connection, channel: str, since: datetime) -> dict[int, int]:
    """Calls of each listing of a channel that were opened since then."""
    rows = await connection.fetch(SPENT, channel, since)
    return {row["listing_id"]: row["calls"] for row in rows}


async def seconds_since_call(
    connection: Connection, channel: str, within_seconds: float
) -> float | None:
    """How long ago the channel was called last; None where that is longer than `within_seconds`."""
    seconds: float | None = await connection.fetchval(LAST_CALL, channel, within_seconds)
    return seconds
