"""How far each marketplace has been read: kept in the transaction that keeps what was read."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ingestion.repository.inbox import Delivery
from shared.postgres.connecting import Connection, Pool

KNOW = """
insert into ingestion.polls (channel, since) values ($1, $2) on conflict (channel) do nothing
"""
# The next turn is put off before the first call: whatever becomes of this one, the marketplace
# hears of nobody before that.
TAKE = """
update ingestion.polls
set owner = $2, leased_until = now() + $3::float8 * interval '1 second',
    next_at = now() + $4::float8 * interval '1 second'
where channel = $1 and next_at <= now() and (owner is null or owner = $2 or leased_until < now())
returning since, began_at, next_offset, failures
"""
# A page is kept by who owns the list, and where it has come to: anyone else changes nothing.
MOVE = """
update ingestion.polls
set began_at = $4, next_offset = $5, failures = 0, problem = null,
    leased_until = now() + $6::float8 * interval '1 second'
where channel = $1 and owner = $2 and next_offset = $3
returning 1
"""
COMPLETE = """
update ingestion.polls
set since = greatest(since, $3), began_at = null, next_offset = 0, completed_at = now()
where channel = $1 and owner = $2
"""
RELEASE = """
update ingestion.polls set owner = null, leased_until = '-infinity'
where channel = $1 and owner = $2
"""
FAIL = """
update ingestion.polls
set owner = null, leased_until = '-infinity', failures = failures + 1, problem = $4,
    next_at = now() + $3::float8 * interval '1 second'
where channel = $1 and owner = $2
"""
STORE = """
insert into ingestion.inbox (channel, protocol, body_sha256, payload)
select $1, protocol, body_sha256, payload::jsonb
from unnest($2::text[], $3::bytea[], $4::text[]) with ordinality
    as i(protocol, body_sha256, payload, place)
order by place
on conflict (channel, body_sha256) do nothing
returning 1
"""
STATES = """
select channel, since, completed_at, next_at, failures, problem,
       extract(epoch from now() - coalesce(completed_at, since))::float8 as age_seconds
from ingestion.polls where channel = any($1::text[]) order by channel
"""
# Whoever asks first has the order for itself until the time is over, longer after each try.
TO_ACCEPT = """
insert into ingestion.acceptances as a (order_id)
select order_id from ingestion.orders o
where o.channel = $1 and o.state ->> 'state' = 'pending_acceptance' and not exists (
    select from ingestion.acceptances t where t.order_id = o.order_id
      and t.tried_at > now() - $2::float8 * power(2, least(t.tries - 1, 5)) * interval '1 second')
order by order_id limit $3
on conflict (order_id) do update set tried_at = now(), tries = a.tries + 1
    where a.tried_at <= now() - $2::float8 * power(2, least(a.tries - 1, 5)) * interval '1 second'
returning order_id
"""
LINES = """
select order_id, array(
    select line ->> 'line_id' from jsonb_array_elements(state -> 'lines') as line) as lines
from ingestion.orders where order_id = any($1::text[]) order by order_id
"""
ACCEPTED = """
update ingestion.acceptances set problem = $2,
    accepted_at = case when $2::text is null then now() end
where order_id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """A list of a marketplace's orders that is ours to read, from where it has come to."""

    since: datetime
    began_at: datetime | None
    next_offset: int
    failures: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PollState:
    """How a marketplace's polling stands; `age_seconds` since it was last read to the end."""

    channel: str
    since: datetime
    completed_at: datetime | None
    next_at: datetime
    failures: int
    problem: str | None
    age_seconds: float


class Polls:
    """The port of polling. Every method is one transaction, and times are the database's."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def take(
        self, channel: str, owner: str, *, first: datetime, lease_seconds: float, seconds: float
    ) -> Turn | None:
        """The turn of reading, for at most `lease_seconds` from page to page; None where it is
        not due or another's. `first` is where the very first list begins.
        """
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await connection.execute(KNOW, channel, first)
            row = await connection.fetchrow(TAKE, channel, owner, lease_seconds, seconds)
        return None if row is None else Turn(**dict(row))

    async def keep(
        self, channel: str, owner: str, page: Sequence[Delivery], *, at: int, began_at: datetime,
        lease_seconds: float, since: datetime | None,
    ) -> int | None:  # fmt: skip
        """A page that began `at` this offset, and how far the list has come by it: both or neither.

        `since` is the new watermark where the page is the last one. Returns how many orders are
        news, None where the list has become another's: then nothing is kept.
        """
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            told = at + len(page)
            if not await connection.fetchval(
                MOVE, channel, owner, at, began_at, told, lease_seconds
            ):
                return None
            kept = await _store(connection, channel, page)
            if since is not None:
                await connection.execute(COMPLETE, channel, owner, since)
        return kept

    async def release(self, channel: str, owner: str) -> None:
        """Anyone may go on when it is due."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(RELEASE, channel, owner)

    async def fail(self, channel: str, owner: str, *, seconds: float, problem: str) -> None:
        """Nobody asks again for so long, and why."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(FAIL, channel, owner, seconds, problem)

    async def states(self, channels: Sequence[str]) -> list[PollState]:
        """How the marketplaces stand."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(STATES, list(channels))
        return [PollState(**dict(row)) for row in rows]

    async def to_accept(
        self, channel: str, retry_seconds: float, limit: int
    ) -> dict[str, list[str]]:
        """Orders that wait to be accepted, with their lines; each is given to one asker."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            rows = await connection.fetch(TO_ACCEPT, channel, retry_seconds, limit)
            found = await connection.fetch(LINES, [row["order_id"] for row in rows])
        return {row["order_id"]: row["lines"] for row in found}

    async def accepted(self, order_id: str, problem: str | None) -> None:
        """What the marketplace said."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(ACCEPTED, order_id, problem)


async def _store(connection: Connection, channel: str, page: Sequence[Delivery]) -> int:
    rows = await connection.fetch(
        STORE, channel, [d.protocol for d in page], [d.body_sha256 for d in page],
        [json.dumps(d.payload) for d in page],
    )  # fmt: skip
    return len(rows)
