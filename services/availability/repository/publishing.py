"""What is still to be told: dirty rows, and the latest state of what they name."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple

from services.availability.repository.messages import State, messages_of
from services.availability.repository.stock import CHANNEL_BITS
from shared.kafka.producing import Outgoing
from shared.kafka.relaying import Dirty
from shared.postgres.connecting import Pool

UNPUBLISHED = """
select row_id, keys from availability.unpublished
where kind = $1 and partition = any($2::integer[]) order by row_id limit $3
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


class DirtyStates:
    """The relay's port for one kind of `unpublished` rows: `topic` or `view`.

    What this process has just committed is remembered by the row that names it, so that it goes
    out without being read again; rows of others, and all rows after a restart, are read from
    Postgres. By its row and not by its key: a SKU's next row may be another worker's, and then
    only Postgres knows what it says.
    """

    def __init__(self, pool: Pool, *, kind: str) -> None:
        self._pool = pool
        self._kind = kind
        self._channels: dict[int, str] = {}
        self._fresh: dict[int, Mapping[int, State]] = {}
        self._fresh_size = 0
        self._flight: dict[int, State] = {}

    def remember(self, row_id: int, states: Mapping[int, State]) -> None:
        """The states (by sku_id) of a row that this process has committed; bounded."""
        if self._fresh_size + len(states) <= FRESH_MAX:
            self._fresh[row_id] = states
            self._fresh_size += len(states)

    def forget_remembered(self) -> None:
        """From now on everything is read from Postgres, until more is remembered."""
        self._fresh.clear()
        self._fresh_size = 0
        self._flight = {}

    async def unpublished(self, partitions: Collection[int], limit: int) -> Dirty:
        """Open rows of these partitions, oldest first, and the union of their keys."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(UNPUBLISHED, self._kind, list(partitions), limit)
        keys: set[tuple[str, int]] = set()
        flight: dict[int, State] = {}
        unknown: set[int] = set()
        for row_id, row_keys in rows:
            keys.update([(self._kind, key) for key in row_keys])
            states = self._fresh.get(row_id)
            if states is None:
                unknown.update(self._skus(row_keys))
                continue
            for sku_id, state in states.items():
                if sku_id not in flight or flight[sku_id].version < state.version:
                    flight[sku_id] = state
        self._flight = {sku_id: s for sku_id, s in flight.items() if sku_id not in unknown}
        return Dirty(rows=[row[0] for row in rows], keys=keys)

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """The figures of these channels and SKUs as they are now, as messages."""
        wanted: dict[int, list[int]] = {}
        for _, key in keys:
            wanted.setdefault(key >> CHANNEL_BITS, []).append(key & (1 << CHANNEL_BITS) - 1)
        await self._learn_channels({number for numbers in wanted.values() for number in numbers})
        messages: list[Outgoing] = []
        for sku_id, state in (await self._states(wanted)).items():
            names = [self._channels[number] for number in wanted[sku_id]]
            messages += messages_of(state, names)
        return messages

    async def views(self, keys: Collection[tuple[str, int]]) -> list[ViewEntry]:
        """The views of these SKUs as they are now."""
        states = await self._states([key for _, key in keys])
        return [ViewEntry(s.sku, s.version, s.view) for s in states.values()]

    async def _states(self, ids: Collection[int]) -> dict[int, State]:
        found = {sku_id: self._flight[sku_id] for sku_id in ids if sku_id in self._flight}
        if len(found) < len(ids):
            missing = [sku_id for sku_id in ids if sku_id not in found]
            async with self._pool.acquire(timeout=5) as connection:
                rows = await connection.fetch(STATES, missing)
            found.update({row[0]: State(*row[1:]) for row in rows})
        return found

    async def _learn_channels(self, numbers: Collection[int]) -> None:
        if any(number not in self._channels for number in numbers):
            async with self._pool.acquire(timeout=5) as connection:
                self._channels = {r[0]: r[1] for r in await connection.fetch(CHANNELS)}

    def _skus(self, keys: Sequence[int]) -> Iterator[int]:
        return (key >> CHANNEL_BITS if self._kind == "topic" else key for key in keys)

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
        for row_id in rows:
            self._fresh_size -= len(self._fresh.pop(row_id, ()))

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
