"""Movements in, levels changed: one set-based statement behind the fence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import datetime

import asyncpg
from asyncpg.pgproto.pgproto import UUID

from services.ledger.repository.messages import LevelState
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# What tells a cost, or takes one back; a transfer may take one to another legal entity.
PRICED = """from_level <> to_level or details like '%"unit_cost"%'
                 or details like '%"compensates"%'"""
# Positions, then levels by level_id, then what hangs on them: every writer locks in this order.
# The update sees rows that changed since the statement began, because it waits for their lock and
# reads them again; the insert drops what another transaction has posted meanwhile.
POSTING = f"""
with {fence_sql("ledger", 1)},
input as materialized (
    select i.* from gate, unnest(
        $6::uuid[], $7::text[], $8::bigint[], $9::integer[], $10::smallint[], $11::integer[],
        $12::smallint[], $13::timestamptz[], $14::integer[], $15::text[], $16::smallint[],
        $17::bigint[]) with ordinality
        as i(event_id, type, quantity, from_level, from_account, to_level, to_account,
             occurred_at, source_id, details, from_partition, from_offset, ordinal)),
locked as materialized (
    select level_id, sku_id, anchored_at, costed_at from ledger.levels
    where level_id in (select from_level from input where from_level is not null
                       union select to_level from input where to_level is not null
                       union select unnest($18::integer[]) from gate)
    order by level_id for update),
fresh as (
    insert into ledger.movements (event_id, type, quantity, from_level, from_account, to_level,
                                  to_account, occurred_at, source_id, details)
    select event_id, type, quantity, from_level, from_account, to_level, to_account, occurred_at,
           source_id, details::jsonb
    from input, (select count(*) from locked) after_locking
    on conflict (event_id) do nothing
    returning event_id),
posted as materialized (
    select i.* from input i join fresh using (event_id)),
sides as materialized (
    select s.*, s.occurred_at < l.anchored_at as is_late, l.sku_id,
           s.is_priced or s.occurred_at <= l.costed_at as changes_cost
    from (select event_id, from_level as level_id, from_account as account_id,
                 -quantity as delta, occurred_at, from_partition, from_offset,
                 {PRICED} as is_priced
          from posted where from_level is not null
          union all
          select event_id, to_level, to_account, quantity, occurred_at, from_partition,
                 from_offset, {PRICED}
          from posted where to_level is not null) s
    join locked l using (level_id)),
priced as (
    insert into ledger.cost_dirty (sku_id, since, until)
    select sku_id, min(occurred_at), max(occurred_at) from sides where changes_cost
    group by sku_id),
moved as (
    update ledger.levels l set
        sellable = l.sellable + d.delta,
        version = greatest(l.version + 1, (extract(epoch from now()) * 1000000)::bigint),
        last_partition = coalesce(d.from_partition, l.last_partition),
        last_offset = coalesce(d.from_offset, l.last_offset)
    from (select level_id,
                 coalesce(sum(delta) filter (where account_id = 1 and is_late is not true), 0)
                     as delta,
                 max(from_partition) as from_partition, max(from_offset) as from_offset
          from sides group by level_id) d
    where l.level_id = d.level_id
    returning l.*),
balanced as (
    insert into ledger.balances as b (level_id, account_id, quantity)
    select level_id, account_id, sum(delta) from sides
    where account_id <> 1 and is_late is not true
    group by level_id, account_id
    on conflict (level_id, account_id) do update set quantity = b.quantity + excluded.quantity
    returning level_id),
noted as (
    insert into ledger.unpublished (kind, partition, keys)
    select 'level', s.partition, array_agg(m.level_id)
    from moved m join ledger.skus s using (sku_id) group by s.partition
    returning partition, row_id),
stale as materialized (
    select i.* from input i where not exists (select from fresh f where f.event_id = i.event_id)),
conflicting as (
    select s.ordinal
    from stale s left join ledger.movements m using (event_id)
    where (m.type, m.quantity, m.from_level, m.from_account, m.to_level, m.to_account)
          is distinct from
          (s.type, s.quantity, s.from_level, s.from_account, s.to_level, s.to_account)
       or coalesce((s.details::jsonb #>> '{{document,revision}}')::bigint, 0)
          > coalesce((m.details #>> '{{document,revision}}')::bigint, 0)),
without_level as (
    select from_level from (
        select from_level from input where from_level is not null
        union select to_level from input where to_level is not null) named
    where from_level not in (select level_id from locked))
"""  # noqa: S608  (only the fence's own SQL is put into the text)
POST = f"""{POSTING}
select
    (select count(*) from gate) as is_open,
    (select count(*) from fresh) as posted,
    (select count(*) from without_level) as without_level,
    (select array_agg(ordinal order by ordinal) from stale) as stale,
    (select array_agg(ordinal order by ordinal) from conflicting) as conflicting,
    (select array_agg(row(event_id, level_id, account_id, delta, occurred_at)
                      order by occurred_at, event_id, account_id)
     from sides where is_late) as late
"""  # noqa: S608  (as above)

# The same alone, without a transaction around it: two round trips less. A batch that more
# statements would have to follow up divides by zero, and then nothing has changed. What it has
# left to be told comes back with it.
POST_ALONE = f"""{POSTING}
select
    (select count(*) from gate) as is_open,
    (select count(*) from fresh) as posted,
    (select count(*) from stale) as stale,
    1 / (case when exists (select from without_level) or exists (select from conflicting)
                or exists (select from sides where is_late) then 0 else 1 end) as stands_alone,
    (select array_agg(row(partition, row_id)) from noted) as rows,
    (select array_agg(row(
        m.level_id, s.sku, lo.location, s.partition, m.version, m.sellable, m.reserved,
        m.allocated, m.anchored_at, m.last_partition, m.last_offset,
        m.suspended_at is not null
        or exists (select from ledger.balances b where b.level_id = m.level_id)
        or exists (select from balanced b where b.level_id = m.level_id)
        or m.reserved > 0 and exists (
            select from ledger.holds h where h.level_id = m.level_id and h.settled_at is null
              and h.purpose = 'ring_fence')))
     from moved m join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
    ) as levels
"""  # noqa: S608  (as above)

FENCE_ONLY = f"with {fence_sql('ledger', 1)} select count(*) from gate"  # noqa: S608  (as above)


class LevelsGoneError(Exception):
    """A remembered level isn't in the database: nothing is posted, the batch is read again."""


@dataclass(slots=True)
class Columns:
    """Movements to post, a list per column; `ordinals` are 1-based places in these lists.

    A side with no level is an outside account. Quantities are whole base units, ≥ 0.
    """

    ids: list[UUID] = field(default_factory=list)
    types: list[str] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    from_levels: list[int | None] = field(default_factory=list)
    from_accounts: list[int] = field(default_factory=list)
    to_levels: list[int | None] = field(default_factory=list)
    to_accounts: list[int] = field(default_factory=list)
    occurred: list[datetime] = field(default_factory=list)
    sources: list[int] = field(default_factory=list)
    details: list[str | None] = field(default_factory=list)
    partitions: list[int | None] = field(default_factory=list)
    offsets: list[int | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def followed_by(self, others: "Columns") -> "Columns":
        """These rows and then the others; neither list is changed."""
        if not others.ids:
            return self
        return Columns(
            **{
                one.name: getattr(self, one.name) + getattr(others, one.name)
                for one in fields(self)
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LateSide:
    """One side of a posted movement from before its account's last anchor."""

    event_id: UUID
    level_id: int
    account_id: int
    delta: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """What the statement did. `stale` are the ordinals that changed nothing; of those, `conflicts`
    say something else than what is known under their id, or have a higher revision.
    """

    count: int
    stale: frozenset[int]
    conflicts: tuple[int, ...]
    late: tuple[LateSide, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedAlone:
    """What the statement did by itself, and what it has left to be told: rows of `unpublished`,
    and every level that they name, by level_id; `is_all` unless there are rows that must be read.
    """

    count: int
    stale: int
    rows: Sequence[int]
    levels: Mapping[int, LevelState]
    is_all: bool


FenceArrays = tuple[list[str], list[int], list[int], list[int], list[int]]
NO_FENCE: FenceArrays = ([], [], [], [], [])


def fence_of(batch: Batch) -> FenceArrays:
    """The five arrays of a batch's fence, a place per slice."""
    slices = batch.slices
    return (
        [part.topic for part in slices],
        [part.partition for part in slices],
        [part.epoch for part in slices],
        [part.expected for part in slices],
        [part.next_offset for part in slices],
    )


async def hold_fence(connection: Connection, fence: FenceArrays) -> None:
    """Move the positions alone, for a batch that must create rows before it posts.

    Raises Fenced when another epoch owns a partition, or its position stands elsewhere.
    """
    if not await connection.fetchval(FENCE_ONLY, *fence):
        raise Fenced


async def post_alone(
    connection: Connection, fence: FenceArrays, columns: Columns
) -> PostedAlone | None:
    """Post in one statement that commits by itself; None when the batch needs more than that, and
    then nothing has changed.

    Raises Fenced; then nothing was changed.
    """
    try:
        row = await connection.fetchrow(POST_ALONE, *_arguments(fence, columns, []))
    except asyncpg.DivisionByZeroError:
        return None
    assert row is not None, "a select without a table gives a row"
    if not row["is_open"]:
        raise Fenced
    # Levels with other accounts, fences or suspensions are read whole, and so is whatever goes out
    # in one row with them.
    found = row["levels"] or ()
    unknown = {state[3] for state in found if state[11]}
    return PostedAlone(
        count=row["posted"],
        stale=row["stale"],
        rows=[row_id for partition, row_id in row["rows"] or () if partition not in unknown],
        levels={s[0]: LevelState(*s[1:11]) for s in found if s[3] not in unknown},
        is_all=not unknown,
    )


async def post(
    connection: Connection, fence: FenceArrays, columns: Columns, lock_levels: list[int]
) -> Posted:
    """Post every movement whose id is new, and lock `lock_levels` for what follows.

    Raises Fenced; then nothing was changed.
    """
    row = await connection.fetchrow(POST, *_arguments(fence, columns, lock_levels))
    assert row is not None, "an aggregate gives a row"
    if not row["is_open"]:
        raise Fenced
    if row["without_level"]:
        raise LevelsGoneError(f"{row['without_level']} levels of a batch do not exist")
    return Posted(
        count=row["posted"],
        stale=frozenset(row["stale"] or ()),
        conflicts=tuple(row["conflicting"] or ()),
        late=tuple(
            LateSide(
                event_id=side[0], level_id=side[1], account_id=side[2], delta=side[3],
                occurred_at=side[4],
            )
            for side in row["late"] or ()
        ),
    )  # fmt: skip


def _arguments(fence: FenceArrays, c: Columns, lock_levels: list[int]) -> tuple[object, ...]:
    return (
        *fence, c.ids, c.types, c.quantities, c.from_levels, c.from_accounts, c.to_levels,
        c.to_accounts, c.occurred, c.sources, c.details, c.partitions, c.offsets, lock_levels,
    )  # fmt: skip
