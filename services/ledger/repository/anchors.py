"""What stands around a moment of an account, and the entries that follow from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

import asyncpg

from services.ledger.domain.anchors import Anchor, Entry, Standing
from shared.postgres.connecting import Connection

ADJUSTMENT = 22
SELLABLE, PICKED = 1, 2

# A movement cannot be recorded more than five minutes before it occurs (later ones are parked),
# so what occurred since a moment was recorded since five minutes before it.
STANDING = """
select i.ordinal,
       case when i.account_id = 1 then l.sellable else coalesce(b.quantity, 0) end
         - coalesce(since.delta, 0) as book,
       a.event_id as at_id, a.type as at_type, a.quantity as at_quantity,
       n.event_id as next_id, n.type as next_type, n.moment as next_moment,
       n.quantity as next_quantity,
       exists (select from ledger.movements m where m.event_id = i.event_id) as is_known,
       (select (m.details->>'counted')::bigint from ledger.movements m
        where m.event_id = i.event_id) as known_quantity,
       (select coalesce((m.details #>> '{document,revision}')::bigint, 0) from ledger.movements m
        where m.event_id = i.event_id) as known_revision
from unnest($1::integer[], $2::smallint[], $3::timestamptz[], $4::uuid[]) with ordinality
    as i(level_id, account_id, moment, event_id, ordinal)
join ledger.levels l using (level_id)
left join ledger.balances b on b.level_id = i.level_id and b.account_id = i.account_id
left join ledger.anchors a on a.level_id = i.level_id and a.account_id = i.account_id
                          and a.moment = i.moment
left join lateral (
    select * from ledger.anchors n
    where n.level_id = i.level_id and n.account_id = i.account_id and n.moment > i.moment
    order by n.moment limit 1) n on true
left join lateral (
    select sum(delta) as delta from (
        select m.quantity as delta from ledger.movements m
        where m.to_level = i.level_id and m.to_account = i.account_id
          and m.recorded_at >= i.moment - interval '5 minutes' and m.occurred_at >= i.moment
        union all
        select -m.quantity from ledger.movements m
        where m.from_level = i.level_id and m.from_account = i.account_id
          and m.recorded_at >= i.moment - interval '5 minutes' and m.occurred_at >= i.moment
    ) d) since on true
order by i.ordinal
"""

RECORD = """
insert into ledger.movements (event_id, type, quantity, from_level, from_account, to_level,
                              to_account, occurred_at, source_id, restates, details)
select event_id, type, abs(delta),
       case when delta < 0 then level_id end, case when delta < 0 then account_id else 22 end,
       case when delta >= 0 then level_id end, case when delta >= 0 then account_id else 22 end,
       occurred_at, source_id, restates, details::jsonb
from unnest($1::uuid[], $2::text[], $3::bigint[], $4::integer[], $5::smallint[],
            $6::timestamptz[], $7::integer[], $8::uuid[], $9::text[])
    as i(event_id, type, delta, level_id, account_id, occurred_at, source_id, restates, details)
"""

CHANGE = """
with input as materialized (
    select * from unnest($1::integer[], $2::smallint[], $3::bigint[], $4::timestamptz[])
        as i(level_id, account_id, delta, anchored_at)),
moved as (
    update ledger.levels l set
        sellable = l.sellable + d.delta,
        anchored_at = greatest(l.anchored_at, d.anchored_at),
        version = greatest(l.version + 1, (extract(epoch from now()) * 1000000)::bigint)
    from (select level_id, max(anchored_at) as anchored_at,
                 coalesce(sum(delta) filter (where account_id = 1), 0) as delta
          from input group by level_id) d
    where l.level_id = d.level_id
    returning l.level_id, l.sku_id),
balanced as (
    insert into ledger.balances as b (level_id, account_id, quantity)
    select level_id, account_id, sum(delta) from input where account_id <> 1
    group by level_id, account_id having sum(delta) <> 0
    on conflict (level_id, account_id) do update set quantity = b.quantity + excluded.quantity)
insert into ledger.unpublished (kind, partition, keys)
select 'level', s.partition, array_agg(m.level_id)
from moved m join ledger.skus s using (sku_id) group by s.partition
"""

# An opening has a cost, and what is set up to the last cost worked out changes it.
PRICE = """
insert into ledger.cost_dirty (sku_id, since, until)
select l.sku_id, min(i.moment), max(i.moment)
from unnest($1::integer[], $2::timestamptz[], $3::boolean[]) as i(level_id, moment, is_priced)
join ledger.levels l using (level_id)
where i.is_priced or i.moment <= l.costed_at group by l.sku_id
"""

STAND = """
insert into ledger.anchors (level_id, account_id, moment, event_id, type, quantity)
select * from unnest($1::integer[], $2::smallint[], $3::timestamptz[], $4::uuid[], $5::text[],
                     $6::bigint[])
on conflict (level_id, account_id, moment) do update set
    event_id = excluded.event_id, type = excluded.type, quantity = excluded.quantity
"""


# What anchors of one moment have done to their account: their own entries, and those that restate
# them. Anchors that a correction has replaced since have another entry than this one.
AROUND = """
select coalesce(sum(case when m.to_level = $1 and m.to_account = $2 then m.quantity
                         else -m.quantity end), 0)::bigint as effect,
       array_agg(row(m.event_id, m.type, (m.details ->> 'counted')::bigint)
                 order by m.event_id)
         filter (where m.details ? 'counted' and m.event_id <> all($4::uuid[])
                       and not exists (
                           select from ledger.facts f
                           where (f.fact_id = m.event_id or f.fact_id = (
                                      select n.fact_id from ledger.fact_ids n
                                      where n.event_id = m.event_id))
                             and f.entry_id is distinct from m.event_id)) as rest
from ledger.movements m
where ((m.to_level = $1 and m.to_account = $2) or (m.from_level = $1 and m.from_account = $2))
  and m.occurred_at = $3 and m.type in ('opening', 'count')
"""
FALL = """
delete from ledger.anchors where level_id = $1 and account_id = $2 and moment = $3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a level, and the event that asks about it."""

    level_id: int
    account_id: int
    moment: datetime
    event_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The standing of an account; `is_known` where the event has been posted before."""

    standing: Standing
    is_known: bool
    known_quantity: int | None
    known_revision: int | None


@dataclass(slots=True)
class Recording:
    """Entries, anchors and level changes to be written together."""

    entries: list[tuple[Account, Entry, int, str | None]] = field(default_factory=list)
    stands: list[tuple[Account, Anchor]] = field(default_factory=list)
    changes: list[tuple[Account, int, datetime | None]] = field(default_factory=list)


async def standings(connection: Connection, accounts: Sequence[Account]) -> list[Found]:
    """The standing of each account around its moment, in the order asked; levels are locked."""
    rows = await connection.fetch(
        STANDING,
        [a.level_id for a in accounts],
        [a.account_id for a in accounts],
        [a.moment for a in accounts],
        [a.event_id for a in accounts],
    )
    return [
        Found(
            standing=_standing(row, account.moment),
            is_known=row["is_known"],
            known_quantity=row["known_quantity"],
            known_revision=row["known_revision"],
        )
        for row, account in zip(rows, accounts, strict=True)
    ]


async def record(connection: Connection, recording: Recording) -> None:
    """Write what was decided; every id in it is new, or the transaction fails as a data error."""
    entries, stands, changes = recording.entries, recording.stands, recording.changes
    if entries:
        await connection.execute(
            RECORD,
            [e.event_id for _, e, _, _ in entries], [e.type for _, e, _, _ in entries],
            [e.delta for _, e, _, _ in entries], [a.level_id for a, _, _, _ in entries],
            [a.account_id for a, _, _, _ in entries], [e.occurred_at for _, e, _, _ in entries],
            [source for _, _, source, _ in entries], [e.restates for _, e, _, _ in entries],
            [details for _, _, _, details in entries],
        )  # fmt: skip
        await connection.execute(
            PRICE, [a.level_id for a, _, _, _ in entries],
            [e.occurred_at for _, e, _, _ in entries],
            ['"unit_cost"' in (details or "") for _, _, _, details in entries],
        )  # fmt: skip
    if stands:
        await connection.execute(
            STAND,
            [a.level_id for a, _ in stands], [a.account_id for a, _ in stands],
            [s.moment for _, s in stands], [s.event_id for _, s in stands],
            [s.type for _, s in stands], [s.quantity for _, s in stands],
        )  # fmt: skip
    if changes:
        await connection.execute(
            CHANGE,
            [a.level_id for a, _, _ in changes], [a.account_id for a, _, _ in changes],
            [delta for _, delta, _ in changes], [moment for _, _, moment in changes],
        )  # fmt: skip


async def around(
    connection: Connection, account: Account, gone: Collection[UUID]
) -> tuple[int, list[Anchor]]:
    """What the anchors of an account's moment have done to it, and those of them besides `gone`."""
    row = await connection.fetchrow(
        AROUND, account.level_id, account.account_id, account.moment, list(gone)
    )
    assert row is not None, "an aggregate gives a row"
    rest = [
        Anchor(event_id=found[0], type=found[1], moment=account.moment, quantity=found[2])
        for found in row["rest"] or ()
    ]
    return row["effect"], rest


async def fall(connection: Connection, account: Account) -> None:
    """Nothing sets the account at this moment any more."""
    await connection.execute(FALL, account.level_id, account.account_id, account.moment)


def _standing(row: asyncpg.Record, moment: datetime) -> Standing:
    at = following = None
    if row["at_id"] is not None:
        at = Anchor(
            event_id=row["at_id"], type=row["at_type"], moment=moment, quantity=row["at_quantity"]
        )
    if row["next_id"] is not None:
        following = Anchor(
            event_id=row["next_id"], type=row["next_type"], moment=row["next_moment"],
            quantity=row["next_quantity"],
        )  # fmt: skip
    return Standing(book=row["book"], at=at, following=following)
