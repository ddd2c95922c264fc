"""One owner per channel: a lease row with an epoch, taken, renewed and given back."""

from collections.abc import Sequence

from services.publication.domain.wanting import Desired
from shared.postgres.connecting import Connection

# A lease that has run out may be taken; the row's lock lets whoever reads under it finish first.
TAKE = """
insert into publication.leases as l (channel, owner, epoch, until_at)
values ($1, $2, 1, clock_timestamp() + $3::float8 * interval '1 second')
on conflict (channel) do update
    set owner = excluded.owner, epoch = l.epoch + 1, until_at = excluded.until_at
    where l.until_at < clock_timestamp()
returning epoch
"""
RENEW = """
update publication.leases set until_at = clock_timestamp() + $3::float8 * interval '1 second'
where channel = $1 and epoch = $2
returning true
"""
GIVE_BACK = """
update publication.leases set until_at = clock_timestamp() - interval '1 second'
where channel = $1 and epoch = $2
"""
# Only for a lease that still holds: an owner that lost it would take the rows and forget them.
TAKE_HANDED = """
with ours as materialized (
    select l.channel from publication.leases l
    join unnest($1::text[], $2::bigint[]) as m(channel, epoch)
      on m.channel = l.channel and m.epoch = l.epoch
    where exists (select from publication.handed_over)
    order by l.channel for share of l)
delete from publication.handed_over h using ours where h.channel = ours.channel
returning h.channel, h.listing_ids
"""
HAND_OVER = """
insert into publication.handed_over (channel, listing_ids)
select channel, array_agg(listing_id)
from unnest($1::text[], $2::integer[]) as i(channel, listing_id) group by channel
"""


async def take_lease(
    connection: Connection, channel: str, owner: str, seconds: float
) -> int | None:
    """The epoch under which the channel is ours, or None while another owns it."""
    epoch: int | None = await connection.fetchval(TAKE, channel, owner, seconds)
    return epoch


async def renew_lease(connection: Connection, channel: str, epoch: int, seconds: float) -> bool:
    """Says whether the channel is still ours."""
    return bool(await connection.fetchval(RENEW, channel, epoch, seconds))


async def give_lease_back(connection: Connection, channel: str, epoch: int) -> None:
    """Let the next owner start at once: no call is out any more."""
    await connection.execute(GIVE_BACK, channel, epoch)


async def take_handed(
    connection: Connection, channels: list[str], epochs: list[int]
) -> dict[str, list[int]]:
    """What other workers folded for channels that are still ours under these epochs."""
    found: dict[str, list[int]] = {}
    for row in await connection.fetch(TAKE_HANDED, channels, epochs):
        found.setdefault(row["channel"], []).extend(row["listing_ids"])
    return found


async def hand_over(connection: Connection, desired: Sequence[Desired]) -> None:
    """Let the channels' owners look at listings again."""
    if desired:
        await connection.execute(
            HAND_OVER, [d.listing.channel for d in desired], [d.listing_id for d in desired]
        )
