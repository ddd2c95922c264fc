"""How many listings show something, nothing, or were never told: rupture as customers meet it."""

from collections.abc import Mapping
from enum import StrEnum

from shared.postgres.connecting import Connection

# Those that we feed. In shadow nothing of ours is shown, so those tell nothing of rupture.
LISTINGS = """
select l.channel, case when p.shown > 0 then 'offered' when p.shown = 0 then 'sold_out'
                       else 'untold' end as state, count(*) as listings
from publication.listings l left join publication.published p using (listing_id)
where l.is_open and l.fulfilled_by <> 'channel' and l.mode = 'live'
group by 1, 2
"""


class Shelf(StrEnum):
    """What a customer finds at a listing, as far as anybody knows."""

    OFFERED = "offered"
    SOLD_OUT = "sold_out"
    UNTOLD = "untold"


async def listings_by_state(connection: Connection) -> Mapping[tuple[str, ...], int]:
    """Open live listings by (channel, state), every state of a channel that has any."""
    rows = await connection.fetch(LISTINGS)
    found: dict[tuple[str, ...], int] = {
        (row["channel"], state.value): 0 for row in rows for state in Shelf
    }
    return found | {(row["channel"], row["state"]): row["listings"] for row in rows}
