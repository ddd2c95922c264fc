"""Order lines and what is booked for them; their levels are locked before them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

import asyncpg

from services.ledger.domain.lines import Line, Shelves, Took, booking_deltas
from services.ledger.repository.suspensions import IS_SUSPENDED
from shared.postgres.connecting import Connection

LineKey = tuple[str, str]


class Consumed(NamedTuple):
    """What a movement does to an order line: units of a SKU that have gone, from this level.

    Below 0: what was told had not happened.
    """

    line: LineKey
    sku: str
    sku_id: int
    quantity: int
    level: int | None
    took: Took = Took.SHIPPED


ENSURE = """
insert into ledger.order_lines (order_id, line_id, partition, sku_id)
select * from unnest($1::text[], $2::text[], $3::smallint[], $4::integer[])
    as i(order_id, line_id, partition, sku_id)
order by order_id, line_id
on conflict do nothing
"""
COLUMNS = "order_line_id, order_id, line_id, sku_id, candidates, revision, is_kit, part_of"
# Lines that a batch names, and short lines of the SKUs whose stock it raises; a kit that comes in
# made up serves a line that is short of the kit's parts.
FIND = f"""
select {COLUMNS} from ledger.order_lines
where (order_id, line_id) in (select * from unnest($1::text[], $2::text[]))
   or ((short > 0 or unsourced > 0) and sku_id = any($3::integer[]))
   or ((short > 0 or unsourced > 0) and kit_sku_id = any($3::integer[]))
   or order_line_id = any($4::bigint[])
"""  # noqa: S608  (only this module's own constant is put into the text)
ANY_SHORT = "select exists (select from ledger.order_lines where short > 0 or unsourced > 0)"
LOCK = """
select o.*, (select array_agg(row(a.level_id, a.quantity)) from ledger.allocations a
             where a.order_line_id = o.order_line_id) as booked
from ledger.order_lines o where order_line_id = any($1::bigint[])
order by order_line_id for update of o
"""
FREE = f"""
select l.level_id, l.sellable - l.reserved - l.allocated as free, {IS_SUSPENDED} as is_suspended
from ledger.levels l where l.level_id = any($1::integer[])
"""  # noqa: S608  (only another module's constant is put into the text)
SAVE = """
update ledger.order_lines o set
    revision = i.revision, wanted = i.wanted, shipped = i.shipped, short = i.short,
    unsourced = i.unsourced, may_split = i.may_split, channel = coalesce(i.channel, o.channel),
    candidates = (select coalesce(array_agg(c), '{}')
                  from unnest(string_to_array(i.candidates, ',')::integer[]) c),
    accepted_at = coalesce(i.accepted_at, o.accepted_at),
    sku_id = coalesce(i.sku_id, o.sku_id), requested_for = i.requested_for,
    held_from = i.held_from, dated = i.dated, is_kit = i.is_kit, in_parts = i.in_parts,
    per_kit = i.per_kit, kit_sku_id = i.kit_sku_id, picked = i.picked,
    version = greatest(o.version + 1, (extract(epoch from now()) * 1000000)::bigint)
from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[],
            $7::boolean[], $8::text[], $9::text[], $10::timestamptz[],
            $11::integer[], $12::timestamptz[], $13::timestamptz[], $14::bigint[],
            $15::boolean[], $16::bigint[], $17::bigint[], $18::integer[], $19::bigint[])
    as i(order_line_id, revision, wanted, shipped, short, unsourced, may_split, channel,
         candidates, accepted_at, sku_id, requested_for, held_from, dated, is_kit, in_parts,
         per_kit, kit_sku_id, picked)
where o.order_line_id = i.order_line_id
"""
AWAIT_DUE = """
insert into ledger.due (at, order_line_id)
select * from unnest($1::timestamptz[], $2::bigint[]) on conflict do nothing
"""
DUE = """
select d.order_line_id, o.sku_id from ledger.due d join ledger.order_lines o using (order_line_id)
where d.at <= $1 order by d.at, d.order_line_id limit $2
"""
SETTLE_DUE = "delete from ledger.due where at <= $1 and order_line_id = any($2::bigint[])"
LOCK_LEVELS = """
select level_id from ledger.levels where level_id = any($1::integer[]) order by level_id for update
"""
UNBOOK = "delete from ledger.allocations where order_line_id = any($1::bigint[])"
BOOK = """
insert into ledger.allocations (order_line_id, level_id, quantity)
select * from unnest($1::bigint[], $2::integer[], $3::bigint[])
"""
ALLOCATE = """
with moved as (
    update ledger.levels l set
        allocated = l.allocated + i.delta,
        version = greatest(l.version + 1, (extract(epoch from now()) * 1000000)::bigint)
    from unnest($1::integer[], $2::bigint[]) as i(level_id, delta)
    where l.level_id = i.level_id
    returning l.level_id, l.sku_id)
insert into ledger.unpublished (kind, partition, keys)
select 'level', s.partition, array_agg(m.level_id)
from moved m join ledger.skus s using (sku_id) group by s.partition
"""
LOG = """
insert into ledger.booking_log (sku_id, level_id, order_line_id, delta)
select coalesce(l.sku_id, i.sku_id), i.level_id, i.order_line_id, i.delta
from unnest($1::integer[], $2::integer[], $3::bigint[], $4::bigint[])
    as i(sku_id, level_id, order_line_id, delta) left join ledger.levels l using (level_id)
"""
NOTE_LINES = """
insert into ledger.unpublished (kind, partition, keys)
select 'line', partition, array_agg(order_line_id) from ledger.order_lines
where order_line_id = any($1::bigint[]) group by partition
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A line found without a lock: enough to know which levels it may touch."""

    order_line_id: int
    key: LineKey
    candidates: tuple[int, ...]
    sku_id: int
    revision: int
    is_kit: bool
    part_of: int | None


async def ensure_lines(
    connection: Connection, lines: Sequence[tuple[LineKey, int, int | None]]
) -> None:
    """Make rows for (key, partition, sku_id) that do not exist yet."""
    await connection.execute(
        ENSURE,
        [key[0] for key, _, _ in lines], [key[1] for key, _, _ in lines],
        [partition for _, partition, _ in lines], [sku for _, _, sku in lines],
    )  # fmt: skip


async def any_short(connection: Connection) -> bool:
    """Is any accepted line waiting for stock at all?"""
    found: bool = await connection.fetchval(ANY_SHORT)
    return found


async def find_lines(
    connection: Connection,
    keys: Collection[LineKey],
    raised_skus: Collection[int],
    *,
    line_ids: Collection[int] = (),
) -> list[Candidate]:
    """The lines that a batch may change, unlocked."""
    rows = await connection.fetch(
        FIND,
        [key[0] for key in keys],
        [key[1] for key in keys],
        list(raised_skus),
        list(line_ids),
    )
    return [candidate_of(row) for row in rows]


def candidate_of(row: asyncpg.Record) -> Candidate:
    """A row of `COLUMNS`."""
    return Candidate(
        order_line_id=row["order_line_id"], key=(row["order_id"], row["line_id"]),
        candidates=tuple(row["candidates"]), sku_id=row["sku_id"], revision=row["revision"],
        is_kit=row["is_kit"], part_of=row["part_of"],
    )  # fmt: skip


async def lock_lines(connection: Connection, ids: Collection[int]) -> list[Line]:
    """The lines, locked in the order of their ids."""
    return [
        Line(
            order_line_id=row["order_line_id"], wanted=row["wanted"], shipped=row["shipped"],
            revision=row["revision"], may_split=row["may_split"],
            candidates=tuple(row["candidates"]), booked=dict(row["booked"] or ()),
            short=row["short"], unsourced=row["unsourced"], accepted_at=row["accepted_at"],
            sku_id=row["sku_id"], requested_for=row["requested_for"],
            held_from=row["held_from"], dated=row["dated"], is_kit=row["is_kit"],
            in_parts=row["in_parts"], part_of=row["part_of"], per_kit=row["per_kit"],
            kit_sku_id=row["kit_sku_id"], picked=row["picked"],
        )
        for row in await connection.fetch(LOCK, list(ids))
    ]  # fmt: skip


async def due_lines(connection: Connection, now: datetime, limit: int) -> dict[int, int]:
    """Lines whose time has come, the longest overdue first, with their SKUs; unlocked."""
    return {row[0]: row[1] for row in await connection.fetch(DUE, now, limit)}


async def settle_due(connection: Connection, now: datetime, line_ids: Collection[int]) -> None:
    """What these lines waited for until now has come; a later date of theirs stands."""
    await connection.execute(SETTLE_DUE, now, list(line_ids))


async def lock_levels(connection: Connection, levels: Collection[int]) -> None:
    """Lock levels in the order of every writer."""
    await connection.execute(LOCK_LEVELS, list(levels))


async def free_at(connection: Connection, levels: Collection[int]) -> Shelves:
    """Signed free units of each level, sellable − reserved − allocated, and which are suspended."""
    rows = await connection.fetch(FREE, list(levels))
    return Shelves({row[0]: row[1] for row in rows}, [row[0] for row in rows if row[2]])


async def save_lines(
    connection: Connection,
    before: Sequence[Line],
    after: Sequence[Line],
    channels: dict[int, str | None],
) -> None:
    """Write the lines that changed, their bookings, and `allocated` of the levels concerned.

    A kit's line is told anew, with a new version, whenever one of its parts has changed.
    """
    told = {new.part_of for old, new in zip(before, after, strict=True) if old != new}
    pairs = [
        (old, line)
        for old, line in zip(before, after, strict=True)
        if old != line or line.order_line_id in told
    ]
    changed = [line for _, line in pairs]
    if not changed:
        return
    ids = [line.order_line_id for line in changed]
    await connection.execute(
        SAVE, ids, [line.revision for line in changed], [line.wanted for line in changed],
        [line.shipped for line in changed], [line.short for line in changed],
        [line.unsourced for line in changed], [line.may_split for line in changed],
        [channels.get(line.order_line_id) for line in changed],
        [",".join(map(str, line.candidates)) for line in changed],
        [line.accepted_at for line in changed], [line.sku_id for line in changed],
        [line.requested_for for line in changed], [line.held_from for line in changed],
        [line.dated for line in changed], [line.is_kit for line in changed],
        [line.in_parts for line in changed], [line.per_kit for line in changed],
        [line.kit_sku_id for line in changed], [line.picked for line in changed],
    )  # fmt: skip
    if dated := [line for line in changed if line.dated]:
        await connection.execute(
            AWAIT_DUE, [line.held_from for line in dated], [x.order_line_id for x in dated]
        )
    await connection.execute(UNBOOK, ids)
    bookings = [(x.order_line_id, level, q) for x in changed for level, q in x.booked.items()]
    if bookings:
        await connection.execute(BOOK, *map(list, zip(*bookings, strict=True)))
    if entries := [entry for old, line in pairs for entry in _log_entries(old, line)]:
        await connection.execute(LOG, *map(list, zip(*entries, strict=True)))
    deltas = booking_deltas(before, after)
    if deltas:
        await connection.execute(ALLOCATE, list(deltas), list(deltas.values()))
    await connection.execute(NOTE_LINES, ids)


LogEntry = tuple[int | None, int | None, int, int]


def _log_entries(old: Line, new: Line) -> list[LogEntry]:
    """(sku_id, level_id, order_line_id, delta) of every booking that changes; level None: units
    without a place, which go by the line's SKU.
    """
    number = new.order_line_id
    entries: list[LogEntry] = [
        (None, level, number, delta)
        for level in {*old.booked, *new.booked}
        if (delta := new.booked.get(level, 0) - old.booked.get(level, 0))
    ]
    if (old.sku_id, old.unsourced) != (new.sku_id, new.unsourced):
        entries += [
            (sku_id, None, number, delta)
            for sku_id, delta in ((old.sku_id, -old.unsourced), (new.sku_id, new.unsourced))
            if delta and sku_id is not None
        ]
    return entries
