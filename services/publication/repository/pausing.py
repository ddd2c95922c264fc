"""Pauses: a channel that is told nothing for now."""

from datetime import datetime

from services.publication.repository.referring import resolve_channels
from shared.postgres.connecting import Connection

PAUSE = """
insert into publication.pauses (channel, first_resync) values ($1, $2)
on conflict (channel) do update set first_resync = excluded.first_resync
"""
RESUME = "delete from publication.pauses where channel = $1 returning true"
IS_PAUSED = "select exists (select from publication.pauses where channel = $1)"


async def pause(
    connection: Connection, channel: str, first_resync: int | None, now: datetime
) -> None:
    """Tell a channel nothing from now on, or from the end of a resync on."""
    await connection.execute(PAUSE, channel, first_resync)
    await resolve_channels(connection, [channel], now)


async def resume(connection: Connection, channel: str, now: datetime) -> bool:
    """Let a channel be told again; says whether it was paused."""
    was_paused = bool(await connection.fetchval(RESUME, channel))
    await resolve_channels(connection, [channel], now)
    return was_paused


async def is_paused(connection: Connection, channel: str) -> bool:
    """Is there a pause, begun or waiting for its resync?"""
    return bool(await connection.fetchval(IS_PAUSED, channel))
