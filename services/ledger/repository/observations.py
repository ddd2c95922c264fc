"""Observations: kept, compared with what was posted, listed."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.ledger.domain.comparing import Place, Verdict
from shared.postgres.connecting import Connection

HELD = """
select event_id, revision, type, sku_id, location_id, from_account, to_account, quantity
from ledger.observations where event_id = any($1::uuid[]) order by event_id for update
"""
# A fact that was posted before its source was declared stays posted.
POSTED = "select event_id from ledger.movements where event_id = any($1::uuid[])"
# A new revision is compared again; so is everything that the source told under the same keys.
RECORD = """
insert into ledger.observations as o (
    event_id, source_id, type, types, sku_id, location_id, from_account, to_account, direction,
    quantity, revision, occurred_at, withdraws, details, state, look_at)
select event_id, source_id, type, string_to_array(types, ' '), sku_id, location_id,
       from_account, to_account, direction, quantity, revision, occurred_at, withdraws,
       details::jsonb,
       case when is_cancelling or exists (
                select from ledger.observations w where w.withdraws = i.event_id)
            then 'withdrawn' else 'open' end,
       case when not is_cancelling then now() end
from unnest($1::uuid[], $2::integer[], $3::text[], $4::text[], $5::integer[], $6::integer[],
            $7::smallint[], $8::smallint[], $9::smallint[], $10::bigint[], $11::bigint[],
            $12::timestamptz[], $13::uuid[], $14::text[], $15::boolean[])
    as i(event_id, source_id, type, types, sku_id, location_id, from_account, to_account,
         direction, quantity, revision, occurred_at, withdraws, details, is_cancelling)
order by event_id
on conflict (event_id) do update set
    type = excluded.type, types = excluded.types, sku_id = excluded.sku_id,
    location_id = excluded.location_id, from_account = excluded.from_account,
    to_account = excluded.to_account, direction = excluded.direction,
    quantity = excluded.quantity, revision = excluded.revision, details = excluded.details,
    look_at = excluded.look_at
    where o.revision < excluded.revision
"""
WITHDRAW = """
update ledger.observations o set state = 'withdrawn', look_at = null, matched_by = null,
    difference = null, posted = null, posted_sku_id = null, posted_location_id = null
from (select event_id from ledger.observations where event_id = any($1::uuid[])
      order by event_id for update) i
where o.event_id = i.event_id
"""
DUE = """
select *, now() as now from ledger.observations
where look_at <= now() and state <> 'withdrawn'
order by look_at limit $1 for update skip locked
"""
KEYS = {
    "order_line": ("order_line,order_id", "order_line,line_id"),
    "supply_line": ("supply_line,supply_id", "supply_line,line_id"),
    "document": ("document,number", "document,line"),
}
# Facts further apart than this are not looked for, which spares the other months of movements.
APART_MAX = timedelta(days=62)
_SAME = """
    {other}.details ? '{name}' and {other}.details #>> '{{{first}}}' = d.details #>> '{{{first}}}'
    and {other}.details #>> '{{{second}}}' is not distinct from d.details #>> '{{{second}}}'
    and {other}.details #>> '{{{name},kind}}' is not distinct from d.details #>> '{{{name},kind}}'
"""
_GROUPS = """
select '{name}' as key, d.event_id, false as is_own, l.sku_id, l.location_id,
       sum(case when facing.same then m.quantity else -m.quantity end)::bigint as quantity
from due d join ledger.movements m on {same_m}
    and m.event_id between ledger.first_id_at(d.occurred_at - $2::interval)
                       and ledger.first_id_at(d.occurred_at + $2::interval)
    and m.source_id <> d.source_id and m.type = any(d.types)
join ledger.levels l on l.level_id = coalesce(m.from_level, m.to_level)
cross join lateral (select case when d.direction = 0 then m.from_account <> d.to_account
    else d.direction = case when m.to_level is null then 1
                            when m.from_level is null then -1 else 0 end end as same) facing
where d.details ? '{name}'
group by d.event_id, l.sku_id, l.location_id
union all
select '{name}', d.event_id, true, o.sku_id, o.location_id, sum(o.quantity)::bigint
from due d join ledger.observations o on {same_o}
    and o.source_id = d.source_id and o.types = d.types and o.state <> 'withdrawn'
where d.details ? '{name}'
group by d.event_id, o.sku_id, o.location_id
"""


def _per_key(statement: str) -> list[str]:
    """The statement once a key; `{same_m}` and `{same_o}` say what is told under one key."""
    return [
        statement.format(
            name=name,
            same_m=_SAME.format(other="m", name=name, first=first, second=second),
            same_o=_SAME.format(other="o", name=name, first=first, second=second),
        )
        for name, (first, second) in KEYS.items()
    ]


_UNDER_ONE_KEY = """
    select o.event_id from told d join ledger.observations o
    on o.source_id = d.source_id and o.types = d.types and {same_o}
"""
GROUPS = f"""
with due as materialized (
    select event_id, source_id, types, direction, to_account, occurred_at, details
    from ledger.observations where event_id = any($1::uuid[]))
{"union all".join(_per_key(_GROUPS))}
"""  # noqa: S608  (only this module's own texts are put together)
# As in `anchors.STANDING`: the book at a moment is the level without what happened since.
BOOK = """
select i.ordinal, coalesce(
    (select a.quantity from ledger.anchors a where a.level_id = l.level_id
     and a.account_id = i.account_id and a.moment = i.moment),
    case when i.account_id = 1 then l.sellable else coalesce(b.quantity, 0) end
      - coalesce((select sum(delta) from (
            select m.quantity as delta from ledger.movements m
            where m.to_level = l.level_id and m.to_account = i.account_id
              and m.recorded_at >= i.moment - interval '5 minutes' and m.occurred_at >= i.moment
            union all
            select -m.quantity from ledger.movements m
            where m.from_level = l.level_id and m.from_account = i.account_id
              and m.recorded_at >= i.moment - interval '5 minutes' and m.occurred_at >= i.moment
        ) since), 0))::bigint as book
from unnest($1::integer[], $2::integer[], $3::smallint[], $4::timestamptz[]) with ordinality
    as i(sku_id, location_id, account_id, moment, ordinal)
join ledger.levels l using (sku_id, location_id)
left join ledger.balances b on b.level_id = l.level_id and b.account_id = i.account_id
"""
SETTLE = """
update ledger.observations o set state = i.state, matched_by = i.matched_by,
    difference = i.difference, posted = i.posted, posted_sku_id = i.sku_id,
    posted_location_id = i.location_id, look_at = i.look_at
from unnest($1::uuid[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::integer[],
            $7::integer[], $8::timestamptz[])
    as i(event_id, state, matched_by, difference, posted, sku_id, location_id, look_at)
where o.event_id = i.event_id
"""
# Observations under one key are one sum: when one comes, the others are compared anew.
STIR = f"""
with told as materialized (
    select event_id, source_id, types, details from ledger.observations
    where event_id = any($1::uuid[])),
others as (
    select o.event_id from ledger.observations o where o.event_id in (
        {"union".join(_per_key(_UNDER_ONE_KEY))})
    and o.state <> 'withdrawn' order by o.event_id for update)
update ledger.observations o set look_at = now() from others where o.event_id = others.event_id
"""  # noqa: S608  (as above)
FORGET = """
delete from ledger.observations where event_id in (
    select event_id from ledger.observations where recorded_at < now() - $1::interval limit $2
    for update skip locked)
returning 1
"""
# `unmatched` is open for longer than it should be, `waiting` open and young.
_STATES = """
case when o.state <> 'open' then o.state
     when o.recorded_at < now() - {limit}::interval then 'unmatched' else 'waiting' end
"""
_STORED = "case when {state} in ('unmatched', 'waiting') then 'open' else {state} end"
LIST = f"""
select o.observation_no, o.event_id, s.source, o.type, k.sku, p.location, o.quantity,
       o.occurred_at, o.recorded_at, o.revision, {_STATES.format(limit="$1")} as state,
       o.matched_by, o.posted, o.difference, nullif(pk.sku, k.sku) as posted_sku,
       nullif(pp.location, p.location) as posted_location, o.details
from ledger.observations o join ledger.sources s using (source_id)
join ledger.skus k on k.sku_id = o.sku_id join ledger.locations p on p.location_id = o.location_id
left join ledger.skus pk on pk.sku_id = o.posted_sku_id
left join ledger.locations pp on pp.location_id = o.posted_location_id
where o.observation_no > $3 and o.state = {_STORED.format(state="$2::text")}
  and {_STATES.format(limit="$1")} = $2 and ($4::text is null or s.source = $4)
order by o.observation_no limit $5
"""  # noqa: S608  (as above)
COUNTS = f"""
select {_STATES.format(limit="$1")} as state, count(*) as observations
from ledger.observations o where o.state in ('open', 'differing') group by 1
"""  # noqa: S608  (as above)
LISTED = ("waiting", "unmatched", "differing", "matched", "withdrawn")


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """A fact as an observing source told it; a `cancelling` one only takes another back."""

    event_id: UUID
    source_id: int
    type: str
    types: tuple[str, ...]
    sku_id: int
    location_id: int
    from_account: int
    to_account: int
    direction: int
    quantity: int
    revision: int
    occurred_at: datetime
    withdraws: UUID | None
    details: str | None
    is_cancelling: bool

    @property
    def content(self) -> tuple[object, ...]:
        """What two tellings of one fact must agree on."""
        return (
            self.type, self.sku_id, self.location_id, self.from_account, self.to_account,
            self.quantity,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What an id stands for already."""

    revision: int
    content: tuple[object, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An observation that is compared again, locked; `now` is the database's."""

    event_id: UUID
    at: Place
    account: int
    is_count: bool
    quantity: int
    occurred_at: datetime
    recorded_at: datetime
    now: datetime


@dataclass(slots=True)
class Group:
    """What was told under one key: by the source itself, and by those who post."""

    observed: dict[Place, int]
    posted: dict[Place, int]


async def held(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, Held]:
    """Observations that are there already, locked."""
    return {
        row["event_id"]: Held(revision=row["revision"], content=tuple(row)[2:])
        for row in await connection.fetch(HELD, ids)
    }


async def posted_ids(connection: Connection, ids: Sequence[UUID]) -> set[UUID]:
    """Those of the ids that are movements."""
    return {row[0] for row in await connection.fetch(POSTED, ids)}


async def record(connection: Connection, told: Sequence[Observation]) -> None:
    """Keep new observations and higher revisions; ids are told once each."""
    await connection.execute(
        RECORD, [o.event_id for o in told], [o.source_id for o in told], [o.type for o in told],
        [" ".join(o.types) for o in told], [o.sku_id for o in told],
        [o.location_id for o in told], [o.from_account for o in told],
        [o.to_account for o in told], [o.direction for o in told], [o.quantity for o in told],
        [o.revision for o in told], [o.occurred_at for o in told], [o.withdraws for o in told],
        [o.details for o in told], [o.is_cancelling for o in told],
    )  # fmt: skip
    withdrawn = [o.withdraws for o in told if o.withdraws is not None]
    keyed = [o.event_id for o in told if o.details is not None]
    if keyed:
        await connection.execute(STIR, keyed + withdrawn)
    if withdrawn:
        await connection.execute(WITHDRAW, withdrawn)


async def take_due(connection: Connection, limit: int) -> list[Due]:
    """Those whose time to be compared has come, the longest overdue first."""
    return [
        Due(
            event_id=row["event_id"], at=Place(row["sku_id"], row["location_id"]),
            account=row["to_account"], is_count=row["type"] == "count",
            quantity=row["quantity"], occurred_at=row["occurred_at"],
            recorded_at=row["recorded_at"], now=row["now"],
        )
        for row in await connection.fetch(DUE, limit)
    ]  # fmt: skip


async def groups(connection: Connection, ids: Sequence[UUID]) -> dict[UUID, dict[str, Group]]:
    """What was told under each key of each observation."""
    found: dict[UUID, dict[str, Group]] = {}
    for row in await connection.fetch(GROUPS, ids, APART_MAX):
        keys = found.setdefault(row["event_id"], {})
        group = keys.setdefault(row["key"], Group(observed={}, posted={}))
        side = group.observed if row["is_own"] else group.posted
        side[Place(row["sku_id"], row["location_id"])] = row["quantity"]
    return found


async def books(connection: Connection, counts: Sequence[Due]) -> list[int]:
    """The book of each count's account as of its moment; 0 where there is no level."""
    found = {
        row["ordinal"]: row["book"]
        for row in await connection.fetch(
            BOOK, [c.at.sku for c in counts], [c.at.location for c in counts],
            [c.account for c in counts], [c.occurred_at for c in counts],
        )
    }  # fmt: skip
    return [found.get(place, 0) for place in range(1, len(counts) + 1)]


async def settle(
    connection: Connection, verdicts: Mapping[UUID, tuple[Verdict, datetime | None]]
) -> None:
    """Write what comparisons came to, and when to look again."""
    told = [verdict for verdict, _ in verdicts.values()]
    await connection.execute(
        SETTLE, list(verdicts), [v.state.value for v in told], [v.matched_by for v in told],
        [v.difference for v in told], [v.posted for v in told],
        [v.at.sku if v.at else None for v in told],
        [v.at.location if v.at else None for v in told], [look for _, look in verdicts.values()],
    )  # fmt: skip


async def forget(connection: Connection, after: timedelta, limit: int) -> int:
    """Delete a slice of what was recorded longer ago than this; returns how many."""
    return len(await connection.fetch(FORGET, after, limit))


async def list_observations(
    connection: Connection, state: str, *, overdue_after: timedelta, after: int,
    source: str | None, limit: int,
) -> list[dict[str, object]]:  # fmt: skip
    """Observations of a state in order of arrival, `after` a number; open ones are `unmatched`
    when they are older than `overdue_after`, else `waiting`.
    """
    assert state in LISTED, state
    rows = await connection.fetch(LIST, overdue_after, state, after, source, limit)
    return [dict(row) | {"details": json.loads(row["details"] or "{}")} for row in rows]


async def counts(connection: Connection, overdue_after: timedelta) -> dict[str, int]:
    """How many wait, are unmatched or differ; those that match are not counted."""
    rows = await connection.fetch(COUNTS, overdue_after)
    return {row["state"]: row["observations"] for row in rows}


def counter_of(state: str, overdue_after: timedelta) -> Callable[[Connection], Awaitable[int]]:
    """Counts the observations of one of these states."""

    async def counted(connection: Connection) -> int:
        return (await counts(connection, overdue_after)).get(state, 0)

    return counted
