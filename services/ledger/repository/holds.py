"""Holds in and out: recorded where the levels still stand as they were seen, settled, read."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from shared.postgres.connecting import Connection

COLUMNS = """hold_id, part, line, digest, sku_id, unknown_sku, level_id, purpose, channel,
    beneficiary, quantity, held_from, held_until, settled_at, outcome, reason, possible"""
# What a change of holds does to the levels, and what the relay is left to say. `changed` are level
# and delta; rows are locked in the order of their ids before this.
MOVED = """
moved as (
    update ledger.levels l set
        reserved = l.reserved + d.delta,
        version = greatest(l.version + 1, (extract(epoch from now()) * 1000000)::bigint)
    from (select level_id, sum(delta)::bigint as delta from changed group by level_id) d
    where l.level_id = d.level_id
    returning l.level_id, l.sku_id, l.version, l.sellable, l.reserved, l.allocated),
noted as (
    insert into ledger.unpublished (kind, partition, keys)
    select 'level', s.partition, array_agg(m.level_id)
    from moved m join ledger.skus s using (sku_id) group by s.partition)
"""
HELD = """hold_id, part, line, digest, sku_id, level_id, purpose, channel, beneficiary, quantity,
                       held_from, held_until"""
FROM_INPUT = HELD.replace("held_from", "$1::timestamptz")
# The levels that are written are locked and must stand where they were seen, and so must what the
# decision read beside them; everything after the gate selects from it. An id that is there already
# changes nothing, so that it can't fail the others of its group: whoever has the first part of a
# hold has the hold.
RECORD = f"""
with locked as materialized (
    select level_id, version from ledger.levels where level_id = any($13::integer[])
    order by level_id for update),
gate as materialized (
    select 1 as open from (
        select count(*) as same from locked
        join unnest($13::integer[], $14::bigint[]) e(level_id, version) using (level_id, version)
    ) c
    where c.same = cardinality($13::integer[])
      and exists (select from ledger.terms where version = $15)
      and not exists (
          select from unnest($16::integer[], $17::bigint[]) e(level_id, version)
          join ledger.levels l using (level_id) where l.version <> e.version)
      and not exists (
          select from unnest($18::integer[], $19::bigint[], $20::bigint[])
              e(sku_id, terms, unsourced)
          join ledger.skus s using (sku_id)
          where s.terms <> e.terms or e.unsourced <> (
              select coalesce(sum(o.unsourced), 0) from ledger.order_lines o
              where o.sku_id = s.sku_id and (o.short > 0 or o.unsourced > 0)))
      and not exists (select from ledger.holds where hold_id = any($2::text[]))),
input as materialized (
    select i.* from gate, unnest(
        $2::text[], $3::smallint[], $4::smallint[], $5::bytea[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::bigint[], $12::timestamptz[])
        as i(hold_id, part, line, digest, sku_id, level_id, purpose, channel, beneficiary,
             quantity, held_until)),
heads as (
    insert into ledger.holds ({HELD})
    select {FROM_INPUT} from input where part = 0 order by hold_id
    on conflict do nothing
    returning hold_id, level_id, quantity),
tails as (
    insert into ledger.holds ({HELD})
    select {FROM_INPUT} from input where part > 0 and hold_id in (select hold_id from heads)
    order by hold_id, part
    returning level_id, quantity),
inserted as (
    select level_id, quantity as delta from heads
    union all select level_id, quantity from tails),
changed as (select level_id, delta from inserted),
{MOVED}
select (select count(*) from gate) as is_open, (select count(*) from inserted) as inserted,
       (select array_agg(row(level_id, version, sellable, reserved, allocated)) from moved)
           as moved
"""  # noqa: S608  (only this module's own constants are put into the text)
WRITE = f"""
with inserted as (
    insert into ledger.holds ({HELD}, unknown_sku, settled_at, outcome, reason, possible,
                              is_waiting, promised_at)
    select {FROM_INPUT}, unknown_sku,
           case when reason is not null then $1 end,
           case when reason is not null then 'refused' end,
           reason, possible, is_waiting, promised_at
    from unnest(
        $2::text[], $3::smallint[], $4::smallint[], $5::bytea[], $6::integer[], $7::integer[],
        $8::text[], $9::text[], $10::text[], $11::bigint[], $12::timestamptz[], $13::text[],
        $14::text[], $15::bigint[], $16::boolean[], $17::timestamptz[])
        as i(hold_id, part, line, digest, sku_id, level_id, purpose, channel, beneficiary,
             quantity, held_until, unknown_sku, reason, possible, is_waiting, promised_at)
    order by hold_id, part
    on conflict do nothing
    returning level_id, quantity, settled_at),
changed as (
    select level_id, quantity as delta from inserted where settled_at is null),
{MOVED}
select count(*) from inserted
"""  # noqa: S608  (as above)
# What ends on rows that are locked. What a hold had of a fence goes back to it if the fence still
# stands, as far as nobody has taken it since, and unless the hold became an order's lines; of a
# fence what is left is free. Lines that wait for units of these SKUs have their turn as soon as the
# worker looks at what is due.
SETTLED = f"""
settled as (
    update ledger.holds h set settled_at = $2, outcome = $3, order_line_id = i.order_line_id,
        reason = case when $3 = 'expired' and h.purpose = 'in_store' then 'no_show' end
    from chosen i where h.hold_id = i.hold_id and h.part = i.part
    returning h.hold_id, h.part, h.level_id, h.sku_id, h.quantity - h.used as units),
uses as (
    select u.use_no, u.fence_id, u.fence_part, greatest(0, least(u.quantity, s.units - coalesce(
               sum(u.quantity) over (partition by u.hold_id, u.part order by u.use_no
                                     rows between unbounded preceding and 1 preceding), 0)))
               as quantity
    from ledger.fence_uses u join settled s using (hold_id, part)
    where u.given_back_at is null and $3 <> 'confirmed'),
given_back as (
    update ledger.fence_uses u set given_back_at = $2 from uses
    where u.use_no = uses.use_no returning uses.fence_id, uses.fence_part, uses.quantity),
refilled as (
    update ledger.holds f set used = f.used - g.units
    from (select fence_id, fence_part, sum(quantity)::bigint as units
          from given_back group by fence_id, fence_part) g
    where f.hold_id = g.fence_id and f.part = g.fence_part and f.settled_at is null
      and not exists (select from chosen c where c.hold_id = f.hold_id and c.part = f.part)
    returning f.level_id, g.units),
changed as (
    select level_id, -units as delta from settled
    union all select level_id, units from refilled),
{MOVED},
waiting as (
    insert into ledger.due (at, order_line_id)
    select $2, order_line_id from ledger.order_lines
    where (short > 0 or unsourced > 0)
      and (sku_id in (select sku_id from settled) or kit_sku_id in (select sku_id from settled))
    on conflict do nothing)
select count(*) from settled
"""  # noqa: S608  (as above)
EXPIRE = f"""
with chosen as materialized (
    select hold_id, part, order_line_id from ledger.holds
    where level_id = any($1::integer[]) and settled_at is null and held_until <= $2
    order by hold_id, part limit $4 for update),
{SETTLED}
"""  # noqa: S608  (as above)
SETTLE = f"""
with chosen as materialized (
    select h.hold_id, h.part, i.order_line_id from ledger.holds h
    join unnest($1::text[], $4::smallint[], $5::bigint[]) i(hold_id, part, order_line_id)
        using (hold_id, part)
    where h.settled_at is null order by h.hold_id, h.part for update of h),
{SETTLED}
"""  # noqa: S608  (as above)
FIND = """
select h.*, coalesce(s.sku, h.unknown_sku) as sku, k.sku as kit_sku, lo.location, o.order_id,
       o.line_id
from ledger.holds h
left join ledger.skus s on s.sku_id = h.sku_id
left join ledger.skus k on k.sku_id = h.kit_sku_id
left join ledger.levels l on l.level_id = h.level_id
left join ledger.locations lo using (location_id)
left join ledger.order_lines o on o.order_line_id = h.order_line_id
where h.hold_id = any($1::text[]) order by h.hold_id, h.part
"""
LOCK = """
select hold_id, part from ledger.holds where hold_id = $1 order by hold_id, part for update
"""
EXTEND = f"""
with extended as (
    update ledger.holds set held_until = $2
    where hold_id = $1 and settled_at is null and (held_until is null or held_until > $3)
    returning level_id, purpose),
changed as (select level_id, 0 as delta from extended where purpose = 'ring_fence'),
{MOVED}
select count(*) from extended
"""  # noqa: S608  (as above)
DUE = """
select distinct level_id from (
    select level_id from ledger.holds where settled_at is null and held_until <= $1
    order by held_until limit $2) due
"""
# A number that rises with every part that anyone tried to record, and whether anything is due.
LOOK = """
select case when is_called then last_value else 0 end as latest, exists (
    select from ledger.holds where settled_at is null and held_until <= $1) as is_due
from ledger.holds_hold_no_seq
"""
NOW = "select clock_timestamp()"
OF_LOCATION = """
select h.hold_no, h.hold_id, s.sku, lo.location, h.quantity, h.purpose, h.channel, h.beneficiary,
       h.held_from, h.held_until, h.used
from ledger.locations lo join ledger.levels l using (location_id)
join ledger.skus s using (sku_id) join ledger.holds h on h.level_id = l.level_id
where lo.location = $1 and ($2::text is null or s.sku = $2) and h.settled_at is null
  and (h.held_until is null or h.held_until > $3) and h.hold_no > $4
order by h.hold_no limit $5
"""
TRY_SWEEP = "select pg_try_advisory_xact_lock(hashtext('ledger.holds.expire'))"


@dataclass(slots=True)
class Parts:
    """Rows of holds to record, a list per column; a part with a reason is refused.

    The last five columns say nothing for a group that is held whole of what is there.
    """

    hold_ids: list[str] = field(default_factory=list)
    parts: list[int] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    digests: list[bytes] = field(default_factory=list)
    skus: list[int | None] = field(default_factory=list)
    levels: list[int | None] = field(default_factory=list)
    purposes: list[str] = field(default_factory=list)
    channels: list[str | None] = field(default_factory=list)
    beneficiaries: list[str | None] = field(default_factory=list)
    quantities: list[int] = field(default_factory=list)
    untils: list[datetime | None] = field(default_factory=list)
    unknown_skus: list[str | None] = field(default_factory=list)
    reasons: list[str | None] = field(default_factory=list)
    possible: list[int | None] = field(default_factory=list)
    waiting: list[bool] = field(default_factory=list)
    promised: list[datetime | None] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.hold_ids)

    def held(self) -> tuple[list[object], ...]:
        """The columns of what is held, in the order of the statements."""
        return self._columns()[:-5]

    def whole(self) -> tuple[list[object], ...]:
        """All columns, in the order of the statements."""
        return self._columns()

    def _columns(self) -> tuple[list[object], ...]:
        found: list[list[object]] = [getattr(self, name) for name in self.__slots__]
        return tuple(found)


@dataclass(slots=True)
class Premises:
    """What a decision was made on. `written` and `read` are versions of levels by their ids;
    `skus` are (terms, unsourced) by SKU.
    """

    terms: int
    written: dict[int, int] = field(default_factory=dict)
    read: dict[int, int] = field(default_factory=dict)
    skus: dict[int, tuple[int, int]] = field(default_factory=dict)


Moved = tuple[int, int, int, int, int]  # level_id, version, sellable, reserved, allocated


async def record(
    connection: Connection, now: datetime, parts: Parts, premises: Premises
) -> list[Moved] | None:
    """Record the parts if everything still stands as it was seen; None: it doesn't, or an id is
    known, and the group has to be decided on locked rows.
    """
    skus = premises.skus
    row = await connection.fetchrow(
        RECORD, now, *parts.held(),
        list(premises.written), list(premises.written.values()), premises.terms,
        list(premises.read), list(premises.read.values()),
        list(skus), [terms for terms, _ in skus.values()], [units for _, units in skus.values()],
    )  # fmt: skip
    assert row is not None, "an aggregate gives a row"
    if not row["is_open"] or row["inserted"] != len(parts):
        return None
    return [tuple(moved) for moved in row["moved"] or ()]


async def write(connection: Connection, now: datetime, parts: Parts) -> int:
    """Record the parts; their levels are locked. Returns how many were news."""
    found: int = await connection.fetchval(WRITE, now, *parts.whole())
    return found


async def expire(
    connection: Connection, levels: Collection[int], now: datetime, limit: int | None = None
) -> int:
    """Settle what is due at these levels, which are locked; returns how many parts."""
    found: int = await connection.fetchval(EXPIRE, list(levels), now, "expired", limit)
    return found


async def settle(
    connection: Connection,
    hold_id: str,
    now: datetime,
    outcome: str,
    parts: Sequence[tuple[int, int | None]],
) -> int:
    """Settle (part, order line) of a hold whose levels are locked; returns how many were open."""
    found: int = await connection.fetchval(
        SETTLE, [hold_id] * len(parts), now, outcome,
        [part for part, _ in parts], [line for _, line in parts],
    )  # fmt: skip
    return found


async def find(connection: Connection, ids: Collection[str]) -> dict[str, list[asyncpg.Record]]:
    """The parts of these holds, with the names of what they hold."""
    found: dict[str, list[asyncpg.Record]] = {}
    for row in await connection.fetch(FIND, list(ids)):
        found.setdefault(row["hold_id"], []).append(row)
    return found


async def lock(connection: Connection, hold_id: str) -> None:
    """Lock the parts of a hold; levels are locked before."""
    await connection.execute(LOCK, hold_id)


async def extend(connection: Connection, hold_id: str, until: datetime, now: datetime) -> None:
    """What of a hold is open now ends at `until`; what has run out stays so."""
    await connection.execute(EXTEND, hold_id, until, now)


async def may_sweep(connection: Connection) -> bool:
    """Is this the one transaction that settles what is due now?"""
    found: bool = await connection.fetchval(TRY_SWEEP)
    return found


async def due_levels(connection: Connection, now: datetime, limit: int) -> list[int]:
    """Levels of the `limit` parts that are due the longest; unlocked."""
    return [row[0] for row in await connection.fetch(DUE, now, limit)]


async def look(connection: Connection, now: datetime) -> tuple[int, bool]:
    """A number that rises with every part that was tried to be recorded, and is anything due?"""
    row = await connection.fetchrow(LOOK, now)
    assert row is not None, "a sequence has one row"
    return row["latest"], row["is_due"]


async def database_now(connection: Connection) -> datetime:
    """The database's clock."""
    found: datetime = await connection.fetchval(NOW)
    return found


async def open_at(
    connection: Connection, location: str, sku: str | None, now: datetime, after: int, limit: int
) -> list[dict[str, object]]:
    """Open parts at a location in order of arrival, from number `after` on."""
    rows = await connection.fetch(OF_LOCATION, location, sku, now, after, limit)
    return [dict(row) for row in rows]
