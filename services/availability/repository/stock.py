"""The rows of the view: locked, read and recorded, a whole batch in a statement each."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.availability.domain.facts import Facts
from services.availability.domain.views import Stock
from services.availability.repository import packing
from services.availability.repository.messages import State
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# Locks in one order everywhere: positions, the policy version, SKUs by sku_id.
FENCE = fence_sql("availability", 1)
BEGIN_SHARED = f"""
with {FENCE}
select p.version, now() as at from gate, availability.policy_version p for share of p
"""  # noqa: S608  (our own text, no value in it)
BEGIN_ALONE = f"""
with {FENCE}
select p.version, now() as at from gate, availability.policy_version p for update of p
"""  # noqa: S608  (as above)
MOMENT_SHARED = "select version, now() as at from availability.policy_version for share"
MOMENT_ALONE = "select version, now() as at from availability.policy_version for update"
LOCK = """
select sku_id, sku, partition, version, unsourced, levels, facts, view, is_in_kits
from availability.stock
where sku = any($1::text[]) order by sku_id for update
"""
LOCK_BY_ID = """
select sku_id, sku, partition, version, unsourced, levels, facts, view, is_in_kits
from availability.stock
where sku_id = any($1::bigint[]) order by sku_id for update
"""
LOCK_AFTER = """
select sku_id, sku, partition, version, unsourced, levels, facts, view, is_in_kits
from availability.stock
where sku_id > $1 order by sku_id limit $2 for update
"""
CREATE = """
insert into availability.stock (sku, partition)
select * from unnest($1::text[], $2::smallint[]) order by 1 on conflict do nothing
"""
RECORD = """
with written as (
    update availability.stock s set version = i.version, unsourced = i.unsourced,
        levels = i.levels, view = i.view
    from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bytea[], $5::bytea[])
        as i(sku_id, version, unsourced, levels, view)
    where s.sku_id = i.sku_id)
insert into availability.unpublished (kind, partition, keys)
select case when is_topic then 'topic' else 'view' end, partition, array_agg(key)
from unnest($6::boolean[], $7::integer[], $8::bigint[]) as k(is_topic, partition, key)
group by is_topic, partition
returning row_id, kind, keys
"""
RECORD_FACTS = """
with changed as (
    update availability.stock s set facts = i.facts
    from unnest($1::bigint[], $2::bytea[]) as i(sku_id, facts) where s.sku_id = i.sku_id
    returning s.sku, s.facts)
insert into availability.facts_history (sku, facts) select sku, facts from changed
"""
CHANNEL_BITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A transaction of the worker: when it began, and the policy version it holds still."""

    at: datetime
    policy_version: int

    @property
    def at_us(self) -> int:
        """Microseconds since 1970."""
        return int(self.at.timestamp()) * 1_000_000 + self.at.microsecond


@dataclass(slots=True)
class Changes:
    """What a transaction has to write, a list per column."""

    ids: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    unsourced: list[int] = field(default_factory=list)
    levels: list[bytes] = field(default_factory=list)
    views: list[bytes] = field(default_factory=list)
    is_topic: list[bool] = field(default_factory=list)
    partitions: list[int] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)
    facts: list[tuple[int, bytes]] = field(default_factory=list)
    states: dict[int, State] = field(default_factory=dict)

    def add(self, stock: Stock, version: int, view: bytes, channels: Iterable[int]) -> None:
        """One SKU's new row; `channels` are the numbers of those whose figure is news."""
        self.ids.append(stock.sku_id)
        self.versions.append(version)
        self.unsourced.append(stock.unsourced)
        levels = packing.pack_levels(stock.levels)
        self.levels.append(levels)
        self.views.append(view)
        self.states[stock.sku_id] = State(stock.sku, stock.partition, version, levels, view)
        self._note(stock.partition, stock.sku_id, is_topic=False)
        for number in channels:
            self._note(stock.partition, topic_key(stock.sku_id, number), is_topic=True)

    def _note(self, partition: int, key: int, *, is_topic: bool) -> None:
        self.is_topic.append(is_topic)
        self.partitions.append(partition)
        self.keys.append(key)


def topic_key(sku_id: int, channel: int) -> int:
    """The key of `unpublished` rows of kind `topic`."""
    assert 0 <= channel < 1 << CHANNEL_BITS, channel
    return sku_id << CHANNEL_BITS | channel


async def begin(connection: Connection, batch: Batch, *, alone: bool) -> Opened:
    """Move the batch's positions, and hold the policy version: `alone` to change it.

    Raises Fenced when another epoch owns a partition, or its position stands elsewhere.
    """
    slices = batch.slices
    row = await connection.fetchrow(
        BEGIN_ALONE if alone else BEGIN_SHARED,
        [part.topic for part in slices], [part.partition for part in slices],
        [part.epoch for part in slices], [part.expected for part in slices],
        [part.next_offset for part in slices],
    )  # fmt: skip
    if row is None:
        raise Fenced
    return Opened(at=row["at"], policy_version=row["version"])


async def begin_unread(connection: Connection, *, alone: bool = False) -> Opened:
    """The same for work that no message asks for."""
    row = await connection.fetchrow(MOMENT_ALONE if alone else MOMENT_SHARED)
    assert row is not None, "the policy version is one row"
    return Opened(at=row["at"], policy_version=row["version"])


async def lock(
    connection: Connection, skus: Sequence[str], partition_of: Callable[[str], int]
) -> "Rows":
    """Lock the rows of these SKUs in order, making those that don't exist."""
    found = _rows(await connection.fetch(LOCK, skus))
    if len(found) < len(skus):
        missing = [sku for sku in skus if sku not in found]
        await connection.execute(CREATE, missing, [partition_of(sku) for sku in missing])
        found |= _rows(await connection.fetch(LOCK, missing))
    return found


async def lock_by_id(connection: Connection, ids: Sequence[int]) -> "Rows":
    """Lock the rows with these ids in order."""
    return _rows(await connection.fetch(LOCK_BY_ID, list(ids)))


async def lock_after(connection: Connection, sku_id: int, limit: int) -> "Rows":
    """Lock the next rows in the order of their ids."""
    return _rows(await connection.fetch(LOCK_AFTER, sku_id, limit))


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A row of `unpublished` as it was written, with the states that it names by sku_id."""

    row_id: int
    kind: str
    keys: Sequence[int]
    states: Mapping[int, State]


async def record(connection: Connection, changes: Changes) -> list[Note]:
    """Write the rows, and what is to be published of them, in one statement."""
    c = changes
    if c.facts:
        await connection.execute(RECORD_FACTS, [i for i, _ in c.facts], [f for _, f in c.facts])
    if not c.ids:
        return []
    written = await connection.fetch(
        RECORD, c.ids, c.versions, c.unsourced, c.levels, c.views, c.is_topic, c.partitions, c.keys
    )
    return [note_of(row["row_id"], row["kind"], row["keys"], c.states) for row in written]


def note_of(row_id: int, kind: str, keys: Sequence[int], states: Mapping[int, State]) -> Note:
    """The note of a row that was written; `states` are those of the whole transaction."""
    ids = {key >> CHANNEL_BITS for key in keys} if kind == "topic" else keys
    told = {sku_id: states[sku_id] for sku_id in ids}
    return Note(row_id=row_id, kind=kind, keys=keys, states=told)


@dataclass(slots=True)
class Row:
    """A locked row: the SKU as values, and what is packed in it still as it was read."""

    stock: Stock
    facts: bytes
    view: bytes


Rows = dict[str, Row]


def _rows(records: Sequence[asyncpg.Record]) -> Rows:
    return {record[1]: _row(record) for record in records}


def _row(record: asyncpg.Record) -> Row:
    sku_id, sku, partition, version, unsourced, levels, facts, view, is_in_kits = record
    return Row(
        stock=Stock(
            sku_id=sku_id, sku=sku, partition=partition, version=version, unsourced=unsourced,
            levels=packing.unpack_levels(levels), facts=packing.unpack_facts(facts),
            shown=packing.unpack_shown(view), is_in_kits=is_in_kits,
        ),
        facts=facts,
        view=view,
    )  # fmt: skip


def with_facts(row: Row, facts: Facts) -> bool:
    """Give the row other facts; says whether they are news."""
    if facts == row.stock.facts:
        return False
    row.stock.facts = facts
    row.facts = packing.pack_facts(facts)
    return True
