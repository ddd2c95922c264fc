"""What is still to be told: dirty rows, and the latest state of what they name."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import NamedTuple

from services.availability.repository.messages import State, messages_of
from services.availability.repository.stock import CHANNEL_BITS, Note
from shared.kafka.producing import Outgoing
from shared.kafka.relaying import Dirty, Flight
from shared.postgres.connecting import Pool

UNPUBLISHED = """
select row_id, keys from availability.unpublished
where kind = $1 and partition = any($2::integer[]) and row_id <> all($4::bigint[])
order by row_id limit $3
"""
STATES = """
select sku_id, sku, partition, version, levels, view from availability.stock
where sku_id = any($1::bigint[])
"""
VIEWS_AFTER = """
select sku_id, sku, version, view from availability.stock
where sku_id > $1 order by sku_id limit $2
"""
CHANNELS = "select number, channel from availability.channels"
FORGET = "delete from availability.unpublished where row_id = any($1::bigint[])"
OLDEST = """
select kind, extract(epoch from now() - min(created_at))::float8 as seconds
from availability.unpublished group by kind
"""
REPUBLISH = """
with slice as (
    select sku_id, partition from availability.stock where sku_id > $1 order by sku_id limit $2),
dirty as (
    insert into availability.unpublished (kind, partition, keys)
    select 'topic', partition, array_agg(sku_id << 12 | number)
    from slice cross join availability.channels group by partition)
select max(sku_id) from slice
"""
REPUBLISH_SLICE = 2_000

# States remembered for the way out, in all; what is beyond is read again.
FRESH_MAX = 20_000


class ViewEntry(NamedTuple):
    """One SKU's view as Redis takes it."""

    sku: str
    version: int
    view: bytes


class Remembered(NamedTuple):
    """Rows that were remembered, the keys that they name, and the latest state of each SKU."""

    rows: list[int]
    keys: set[int]
    states: dict[int, State]


class DirtyStates:
    """The relay's port for one kind of `unpublished` rows: `topic` or `view`.

    What this process has just committed is remembered with the row that names it, so that it goes
    out without being read again; rows of others, and all rows after a restart, are read from
    Postgres.
    """

    def __init__(self, pool: Pool, *, kind: str) -> None:
        self._pool = pool
        self._kind = kind
        self._channels: dict[int, str] = {}
        self._fresh: dict[int, Note] = {}
        self._fresh_size = 0

    def remember(self, note: Note) -> None:
        """A row that this process has committed, with its states; bounded: without room all is
        forgotten and to be read, so that nothing older goes out after it.
        """
        if self._fresh_size + len(note.states) > FRESH_MAX:
            self.forget_remembered()
            return
        self._fresh[note.row_id] = note
        self._fresh_size += len(note.states)

    def forget_remembered(self) -> None:
        """From now on everything is read from Postgres, until more is remembered."""
        self._fresh, self._fresh_size = {}, 0

    def _take_notes(self) -> Remembered:
        notes = self._fresh
        self.forget_remembered()
        states: dict[int, State] = {}
        for note in notes.values():
            for sku_id, state in note.states.items():
                if sku_id not in states or states[sku_id].version < state.version:
                    states[sku_id] = state
        keys = {key for note in notes.values() for key in note.keys}
        return Remembered(list(notes), keys, states)

    async def take(self) -> Flight:
        """What was remembered of the topic since the last time, as messages."""
        rows, keys, states = self._take_notes()
        return Flight(rows=rows, messages=await self._messages(keys, states))

    def take_views(self) -> tuple[list[int], list[ViewEntry]]:
        """What was remembered of the view since the last time: the rows, and what they say."""
        rows, _, states = self._take_notes()
        return rows, [ViewEntry(s.sku, s.version, s.view) for s in states.values()]

    @property
    def rows(self) -> Collection[int]:
        """The rows that are remembered now."""
        return self._fresh.keys()

    async def unpublished(
        self, partitions: Collection[int], limit: int, besides: Collection[int] = ()
    ) -> Dirty:
        """Open rows of these partitions but for those named, oldest first; the union of their
        keys.
        """
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(
                UNPUBLISHED, self._kind, list(partitions), limit, list(besides)
            )
        keys = {(self._kind, key) for _, row_keys in rows for key in row_keys}
        return Dirty(rows=[row[0] for row in rows], keys=keys)

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """The figures of these channels and SKUs as they are now, as messages."""
        wanted = {key for _, key in keys}
        return await self._messages(wanted, await self._read({k >> CHANNEL_BITS for k in wanted}))

    async def views(self, keys: Collection[tuple[str, int]]) -> list[ViewEntry]:
        """The views of these SKUs as they are now."""
        states = await self._read([key for _, key in keys])
        return [ViewEntry(s.sku, s.version, s.view) for s in states.values()]

    async def _messages(
        self, keys: Iterable[int], states: Mapping[int, State]
    ) -> Sequence[Outgoing]:
        wanted: dict[int, list[int]] = {}
        for key in keys:
            wanted.setdefault(key >> CHANNEL_BITS, []).append(key & (1 << CHANNEL_BITS) - 1)
        await self._learn_channels({number for numbers in wanted.values() for number in numbers})
        messages: list[Outgoing] = []
        for sku_id, numbers in wanted.items():
            messages += messages_of(states[sku_id], [self._channels[n] for n in numbers])
        return messages

    async def _read(self, ids: Collection[int]) -> dict[int, State]:
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(STATES, list(ids))
        return {row[0]: State(*row[1:]) for row in rows}

    async def _learn_channels(self, numbers: Collection[int]) -> None:
        if any(number not in self._channels for number in numbers):
            async with self._pool.acquire(timeout=5) as connection:
                self._channels = {r[0]: r[1] for r in await connection.fetch(CHANNELS)}

    async def views_after(self, sku_id: int, limit: int) -> tuple[int | None, list[ViewEntry]]:
        """The next views in the order of the ids, and the last id; None after the last one."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(VIEWS_AFTER, sku_id, limit)
        last = rows[-1][0] if rows else None
        return last, [ViewEntry(row[1], row[2], row[3]) for row in rows]

    async def forget(self, rows: Sequence[int]) -> None:
        """Delete exactly the rows whose keys have arrived."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(FORGET, list(rows))

    async def oldest_seconds(self) -> dict[str, float]:
        """Age of the oldest open row by kind; an invariant says that it stays under 5 seconds."""
        async with self._pool.acquire(timeout=5) as connection:
            return {row["kind"]: row["seconds"] for row in await connection.fetch(OLDEST)}

    async def republish_all(self) -> None:
        """Have every figure published again, in slices, for a reader that starts empty."""
        last: int | None = 0
        while last is not None:
            async with self._pool.acquire(timeout=5) as connection:
                last = await connection.fetchval(REPUBLISH, last, REPUBLISH_SLICE)
