"""Costs: what has to be worked out, from what, and how it stands at a moment."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

import asyncpg

from services.ledger.domain.costing import REVALUATION, Entity, Move, Point, State, States
from shared.postgres.connecting import Connection

TURN = "select pg_try_advisory_xact_lock(hashtext('ledger.costing'))"
# What is of a moment to come waits for it, as a revaluation of a day to come: what moves until then
# is still to be told.
DIRTY = """
select sku_id, array_agg(row_id) as rows, min(since) as since, max(until) as until
from ledger.cost_dirty where until <= now() group by sku_id order by min(row_id) limit $1
"""
# What comes later with no later moment sees this, and says that it is late.
RAISE = """
with raised as (
    update ledger.levels l set costed_at = greatest(l.costed_at, $2)
    from (select level_id from ledger.levels where sku_id = $1 order by level_id for update) i
    where l.level_id = i.level_id
    returning l.costed_at)
select coalesce(max(costed_at), $2) from raised
"""
BASE = """
select at, states from ledger.cost_points where sku_id = $1 and at < $2 order by at desc limit 1
"""
# A fact that was corrected counts as it holds now, not by the rows that led there; openings and
# counts by their rows, of which only the one that holds has a cost. A movement cannot be recorded
# more than five minutes before it occurs.
MOVES = """
with inside as (
    select account_id from ledger.accounts where owner = 'own' and counts_as <> 'outside'),
places as (
    select l.level_id, lo.location
    from ledger.levels l join ledger.locations lo using (location_id) where l.sku_id = $1),
rows as (
    select m.event_id, m.occurred_at, m.type, m.quantity, m.from_level, m.from_account, m.to_level,
           m.to_account, m.restates is not null as restates,
           case when f.fact_id is null then m.details
                when f.entry_id = m.event_id then f.details end as details
    from (
        select * from ledger.movements
        where from_level in (select level_id from places)
          and recorded_at >= $2::timestamptz - interval '5 minutes' and occurred_at > $2
        union
        select * from ledger.movements
        where to_level in (select level_id from places)
          and recorded_at >= $2::timestamptz - interval '5 minutes' and occurred_at > $2) m
    left join ledger.fact_ids n on n.event_id = m.event_id
    left join ledger.facts f on f.fact_id = coalesce(n.fact_id, m.event_id)
    where m.type in ('opening', 'count')
       or f.fact_id is null and n.event_id is null
          and not (coalesce(m.details, '{}') ? 'compensates')
    union all
    select f.fact_id, f.occurred_at, f.type, f.quantity, f.from_level, f.from_account, f.to_level,
           f.to_account, false, f.details
    from ledger.facts f
    where (f.from_level in (select level_id from places)
           or f.to_level in (select level_id from places))
      and f.type is not null and f.type not in ('opening', 'count') and f.occurred_at > $2)
select r.event_id, r.occurred_at, r.type, r.quantity,
       case when r.from_account in (select account_id from inside) then a.location end as came_from,
       case when r.to_account in (select account_id from inside) then b.location end as goes_to,
       r.details ->> 'unit_cost' as unit_cost, r.details ->> 'currency' as currency, r.restates
from rows r left join places a on a.level_id = r.from_level
left join places b on b.level_id = r.to_level
"""
REVALUATIONS = """
select r.at, r.entity, r.unit_cost, r.currency from ledger.revaluations r
join ledger.skus s using (sku) where s.sku_id = $1 and r.at > $2 and not r.is_deleted
"""
# Of two records with one key the higher revision wins, of equals the later told.
KEEP_REVALUATIONS = """
with kept as (
    insert into ledger.revaluations as r (record_id, sku, entity, at, unit_cost, currency,
                                          revision, is_deleted)
    select * from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::numeric[],
                         $6::text[], $7::bigint[], $8::boolean[]) order by 1
    on conflict (record_id) do update set
        unit_cost = excluded.unit_cost, currency = excluded.currency,
        revision = excluded.revision, is_deleted = excluded.is_deleted
        where r.revision <= excluded.revision
          and (r.unit_cost, r.currency, r.is_deleted)
              is distinct from (excluded.unit_cost, excluded.currency, excluded.is_deleted)
    returning sku, at)
insert into ledger.cost_dirty (sku_id, since, until)
select s.sku_id, k.at, k.at from kept k join ledger.skus s using (sku)
"""
FORGET = "delete from ledger.cost_points where sku_id = $1 and at >= $2"
SAVE = """
insert into ledger.cost_points (sku_id, at, states)
select $1, at, states::jsonb from unnest($2::timestamptz[], $3::text[]) as i(at, states)
"""
DONE = "delete from ledger.cost_dirty where row_id = any($1::bigint[])"
LOCATIONS = "select record from ledger.reference where kind = 'location'"
AS_OF = """
select s.sku, p.at, p.states, exists (
           select from ledger.cost_dirty d where d.sku_id = s.sku_id and d.since <= $2) as is_stale
from ledger.skus s left join lateral (
    select at, states from ledger.cost_points
    where sku_id = s.sku_id and at <= $2 order by at desc limit 1) p on true
where s.sku = any($1::text[]) order by s.sku
"""

NO_EVENT = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirty:
    """A SKU whose points are to be worked out from `since` on; `until` is the last that we know."""

    sku_id: int
    rows: Sequence[int]
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Revalued:
    """A record that says what a unit is worth to an entity from a moment on."""

    record_id: str
    sku: str
    entity: Entity
    at: datetime
    unit_cost: Decimal
    currency: str
    revision: int
    is_deleted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """How a SKU stands: its last point, if there is any; stale while more is to be worked out."""

    sku: str
    at: datetime | None
    states: States
    is_stale: bool


async def take_turn(connection: Connection) -> bool:
    """Is it this worker's turn? One works at a time; it ends with the transaction."""
    found: bool = await connection.fetchval(TURN)
    return found


async def dirty_skus(connection: Connection, limit: int) -> list[Dirty]:
    """What is to be worked out, in the order of its coming."""
    return [
        Dirty(sku_id=row["sku_id"], rows=row["rows"], since=row["since"], until=row["until"])
        for row in await connection.fetch(DIRTY, limit)
    ]


async def raise_costed(connection: Connection, dirty: Dirty) -> datetime:
    """From now on what occurred by `until` is late; returns up to when anything is."""
    found: datetime = await connection.fetchval(RAISE, dirty.sku_id, dirty.until)
    return found


async def base_before(connection: Connection, sku_id: int, since: datetime) -> Point | None:
    """The last point before a moment."""
    row = await connection.fetchrow(BASE, sku_id, since)
    return None if row is None else Point(at=row["at"], states=states_in(row["states"]))


async def moves_after(
    connection: Connection, sku_id: int, moment: datetime, entities: Mapping[str, Entity]
) -> list[Move]:
    """Everything that moved or was valued anew after a moment; `entities` by location."""
    revalued = await connection.fetch(REVALUATIONS, sku_id, moment)
    return [_revaluation(row) for row in revalued] + [
        Move(
            event_id=row["event_id"], at=row["occurred_at"], type=row["type"],
            quantity=row["quantity"], came_from=_entity(row["came_from"], entities),
            goes_to=_entity(row["goes_to"], entities),
            unit_cost=None if row["unit_cost"] is None else Decimal(row["unit_cost"]),
            currency=row["currency"], restates=row["restates"],
        )
        for row in await connection.fetch(MOVES, sku_id, moment)
    ]  # fmt: skip


def _revaluation(row: asyncpg.Record) -> Move:
    return Move(
        event_id=NO_EVENT, at=row["at"], type=REVALUATION, quantity=0, came_from=row["entity"],
        goes_to=row["entity"], unit_cost=row["unit_cost"], currency=row["currency"],
    )  # fmt: skip


async def keep_revaluations(connection: Connection, told: Sequence[Revalued]) -> None:
    """Keep what is news, and have its SKUs' costs worked out again; the last of a key counts."""
    latest = {one.record_id: one for one in sorted(told, key=lambda one: one.revision)}.values()
    await connection.execute(
        KEEP_REVALUATIONS, [r.record_id for r in latest], [r.sku for r in latest],
        [r.entity for r in latest], [r.at for r in latest], [r.unit_cost for r in latest],
        [r.currency for r in latest], [r.revision for r in latest],
        [r.is_deleted for r in latest],
    )  # fmt: skip


async def save(connection: Connection, dirty: Dirty, points: Sequence[Point]) -> None:
    """Put these points in the place of those from `since` on."""
    await connection.execute(FORGET, dirty.sku_id, dirty.since)
    await connection.execute(
        SAVE, dirty.sku_id, [point.at for point in points],
        [_text(point.states) for point in points],
    )  # fmt: skip
    await connection.execute(DONE, list(dirty.rows))


async def location_records(connection: Connection) -> list[bytes]:
    """Every record of a location."""
    return [row["record"] for row in await connection.fetch(LOCATIONS)]


async def costs_at(connection: Connection, skus: Collection[str], moment: datetime) -> list[Cost]:
    """What a unit of these SKUs cost at a moment; SKUs that nobody knows are left out."""
    return [
        Cost(
            sku=row["sku"], at=row["at"], is_stale=row["is_stale"],
            states={} if row["states"] is None else states_in(row["states"]),
        )
        for row in await connection.fetch(AS_OF, list(skus), moment)
    ]  # fmt: skip


def _entity(location: str | None, entities: Mapping[str, Entity]) -> Entity | None:
    return None if location is None else entities.get(location, "")


def states_in(told: str) -> dict[Entity, State]:
    """A point's states as they are kept."""
    found: dict[str, dict[str, object]] = json.loads(told)
    return {name: _state(state) for name, state in found.items()}


def _state(told: Mapping[str, object]) -> State:
    cost, currency = told["unit_cost"], told["currency"]
    return State(
        quantity=int(str(told["quantity"])), uncosted=int(str(told["uncosted"])),
        unit_cost=None if cost is None else Decimal(str(cost)),
        currency=None if currency is None else str(currency),
    )  # fmt: skip


def _text(states: States) -> str:
    return json.dumps(
        {
            name: {
                "quantity": state.quantity, "uncosted": state.uncosted, "currency": state.currency,
                "unit_cost": None if state.unit_cost is None else str(state.unit_cost),
            }
            for name, state in sorted(states.items())
        }
    )  # fmt: skip
