"""Full resyncs: asked for, worked off slice by slice, resumed after a crash."""

from dataclasses import dataclass

from services.publication.domain.guarding import BlastRadius
from shared.postgres.connecting import Connection

BEGIN = """
insert into publication.resyncs (channel, is_confirmed, listings, changed, zeroed)
values ($1, $2, $3, $4, $5)
on conflict (channel) where finished_at is null do nothing
returning resync_id
"""
RUNNING = """
select resync_id, cursor_id from publication.resyncs where channel = $1 and finished_at is null
"""
ADVANCE = "update publication.resyncs set cursor_id = $2 where resync_id = $1"
FINISH = "update publication.resyncs set finished_at = now() where resync_id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Resync:
    """A running resync; listings up to `cursor_id` have been told."""

    resync_id: int
    cursor_id: int


async def begin_resync(
    connection: Connection, channel: str, radius: BlastRadius, *, is_confirmed: bool
) -> int | None:
    """The id of the new resync, or None while one is running."""
    resync_id: int | None = await connection.fetchval(
        BEGIN, channel, is_confirmed, radius.listings, radius.changed, radius.zeroed
    )
    return resync_id


async def running_resync(connection: Connection, channel: str) -> Resync | None:
    """The channel's resync, where one is running."""
    row = await connection.fetchrow(RUNNING, channel)
    return None if row is None else Resync(**dict(row))


async def advance_resync(connection: Connection, resync_id: int, cursor_id: int | None) -> None:
    """Note how far it came; None: it is done."""
    if cursor_id is None:
        await connection.execute(FINISH, resync_id)
    else:
        await connection.execute(ADVANCE, resync_id, cursor_id)
