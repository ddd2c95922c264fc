"""How far the view has come: read to which moment, in which generation of Redis."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.postgres.connecting import Connection, Pool

POSITIONS = "select topic, partition, next_offset from availability.positions"
READ = """
select is_built, as_of, generation, made_for, rebuilt_to, asked_id, now() as now, (
    select system_identifier || '.' || timeline_id
    from pg_control_system(), pg_control_checkpoint()) as history
from availability.progress
"""
REACH = """
update availability.progress set is_built = true, as_of = greatest(as_of, $1)
"""
LAST_OPEN_VIEW = "select max(row_id) from availability.unpublished where kind = 'view'"
HAS_OPEN_VIEW = """
select exists (select from availability.unpublished where kind = 'view' and row_id <= $1)
"""
BEGIN_GENERATION = """
update availability.progress
set generation = greatest(generation + 1, (extract(epoch from now()) * 1000000)::bigint),
    made_for = $2, rebuilt_to = 0
where generation = $1 returning generation
"""
MOVE_REBUILD = """
update availability.progress set rebuilt_to = $3
where generation = $1 and rebuilt_to is not distinct from $2 returning true
"""
# The next look finds another generation in Redis and begins a new one, in which whatever a key
# holds, under whatever version, is replaced.
ASK_REBUILD = """
update availability.progress set generation = generation + 1, rebuilt_to = 0
"""
ASK = """
update availability.progress set asked_id = coalesce(asked_id, $1)
where not is_built returning asked_id
"""
ANSWERED = "select topic from availability.republished where request_id = $1"
KEEP_ANSWERS = """
insert into availability.republished (topic, request_id)
select * from unnest($1::text[], $2::text[])
on conflict (topic) do update set request_id = excluded.request_id, told_at = now()
"""

TopicPartitions = Mapping[tuple[str, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """The one row. `history` names this Postgres: another one after a restore."""

    is_built: bool
    as_of: datetime | None
    generation: int
    made_for: str
    rebuilt_to: int | None
    asked_id: str | None
    now: datetime
    history: str


class ProgressRows:
    """Reads and moves the progress; every method is one short statement."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def positions(self) -> dict[tuple[str, int], int]:
        """The next offset to read of every partition that anybody has claimed."""
        async with self._pool.acquire(timeout=5) as connection:
            return {(r[0], r[1]): r[2] for r in await connection.fetch(POSITIONS)}

    async def read(self) -> Progress:
        """The row as it is."""
        async with self._pool.acquire(timeout=5) as connection:
            row = await connection.fetchrow(READ)
        assert row is not None, "progress is one row"
        return Progress(**row)

    async def reach(self, as_of: datetime) -> None:
        """Everything that was on the topics at `as_of` is in the view."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(REACH, as_of)

    async def ask(self, request_id: str) -> str | None:
        """The id under which everything is asked for: this one, unless there is one already. None
        where the view has been built before, and so has nothing to ask for.
        """
        async with self._pool.acquire(timeout=5) as connection:
            found: str | None = await connection.fetchval(ASK, request_id)
        return found

    async def answered(self, request_id: str) -> set[str]:
        """The topics of which everything has been told since the request."""
        async with self._pool.acquire(timeout=5) as connection:
            return {row[0] for row in await connection.fetch(ANSWERED, request_id)}

    async def last_open_view(self) -> int | None:
        """The last change that Redis has not got yet."""
        async with self._pool.acquire(timeout=5) as connection:
            found: int | None = await connection.fetchval(LAST_OPEN_VIEW)
        return found

    async def has_open_view(self, up_to: int) -> bool:
        """Whether Redis still lacks a change up to this one."""
        async with self._pool.acquire(timeout=5) as connection:
            return bool(await connection.fetchval(HAS_OPEN_VIEW, up_to))

    async def begin_generation(self, after: int, made_for: str) -> int | None:
        """A new generation, to be written from the first SKU on; None when somebody was first."""
        async with self._pool.acquire(timeout=5) as connection:
            found: int | None = await connection.fetchval(BEGIN_GENERATION, after, made_for)
        return found

    async def move_rebuild(self, generation: int, before: int, after: int | None) -> bool:
        """The rebuild has come from `before` to `after`; None: it is done. False: not ours."""
        async with self._pool.acquire(timeout=5) as connection:
            return bool(await connection.fetchval(MOVE_REBUILD, generation, before, after))

    async def ask_rebuild(self) -> None:
        """Have every view written to Redis again, in a new generation: what is wrong there may be
        wrong under the right version. Until it is whole, Postgres answers.
        """
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(ASK_REBUILD)


async def keep_answers(connection: Connection, answers: Mapping[str, str]) -> None:
    """Keep which request was answered last, by topic."""
    if answers:
        await connection.execute(KEEP_ANSWERS, list(answers), list(answers.values()))
