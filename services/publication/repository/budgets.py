"""How much of a day's calls each listing has had: the publication ledger knows."""

from datetime import datetime

from shared.postgres.connecting import Connection

SPENT = """
select a.listing_id, count(*)::integer as calls
from publication.attempts a join publication.listings l using (listing_id)
where l.channel = $1 and a.opened_at >= $2 and a.outcome is distinct from 'shadowed'
group by a.listing_id
"""


async def spent_since(connection: Connection, channel: str, since: datetime) -> dict[int, int]:
    """Calls of each listing of a channel that were opened since then."""
    rows = await connection.fetch(SPENT, channel, since)
    return {row["listing_id"]: row["calls"] for row in rows}
