"""Supply orders as last told, and what their lines will still bring."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.availability.domain.supply import SupplyLine
from shared.kafka.batches import Batch
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

FENCE = f"with {fence_sql('availability', 1)} select count(*) from gate"  # noqa: S608  (own SQL)
KEEP_ORDERS = """
insert into availability.supply_orders as o (supply_id, revision, is_open)
select * from unnest($1::text[], $2::bigint[], $3::boolean[]) order by 1
on conflict (supply_id) do update
    set revision = excluded.revision, is_open = excluded.is_open, changed_at = now()
    where o.revision < excluded.revision
returning supply_id
"""
# A line that the latest state no longer names is no longer expected.
DROP_LINES = """
delete from availability.supply_lines where supply_id = any($1::text[])
and (supply_id, line_id) not in (select * from unnest($2::text[], $3::text[]))
"""
KEEP_LINES = """
insert into availability.supply_lines as l
    (supply_id, line_id, sku, location, is_transfer, is_confirmed, due, dispatched, received,
     rejected, cancelled, expected_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[],
                     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                     $12::timestamptz[])
on conflict (supply_id, line_id) do update
    set sku = excluded.sku, location = excluded.location, is_transfer = excluded.is_transfer,
        is_confirmed = excluded.is_confirmed, due = excluded.due,
        dispatched = greatest(l.dispatched, excluded.dispatched),
        received = greatest(l.received, excluded.received),
        rejected = greatest(l.rejected, excluded.rejected),
        cancelled = greatest(l.cancelled, excluded.cancelled),
        expected_at = excluded.expected_at
"""
OPEN_LINES = """
select l.* from availability.supply_lines l join availability.supply_orders o using (supply_id)
where l.sku = any($1::text[]) and o.is_open order by l.expected_at, l.supply_id, l.line_id
"""
PRUNE = """
delete from availability.supply_orders where supply_id in (
    select supply_id from availability.supply_orders where not is_open and changed_at < $1
    limit $2 for update skip locked)
returning 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """A supply order's latest state; one that is not open brings nothing."""

    supply_id: str
    revision: int
    is_open: bool
    lines: Sequence[SupplyLine]


async def hold_fence(connection: Connection, batch: Batch) -> bool:
    """Move the batch's positions; says whether they were still ours to move."""
    s = batch.slices
    count: int = await connection.fetchval(
        FENCE, [x.topic for x in s], [x.partition for x in s], [x.epoch for x in s],
        [x.expected for x in s], [x.next_offset for x in s],
    )  # fmt: skip
    return bool(count)


async def keep(connection: Connection, told: Mapping[str, Supply]) -> None:
    """Keep the states that are news, each whole; a revision that is not higher changes nothing."""
    rows = await connection.fetch(
        KEEP_ORDERS, list(told), [s.revision for s in told.values()],
        [s.is_open for s in told.values()],
    )  # fmt: skip
    news = [told[row["supply_id"]] for row in rows]
    lines = [line for supply in news for line in supply.lines]
    ids, names = [line.supply_id for line in lines], [line.line_id for line in lines]
    await connection.execute(DROP_LINES, [supply.supply_id for supply in news], ids, names)
    await connection.execute(
        KEEP_LINES, ids, names, [line.sku for line in lines], [line.location for line in lines],
        [line.is_transfer for line in lines],
        [line.is_confirmed for line in lines], [line.due for line in lines],
        [line.dispatched for line in lines], [line.received for line in lines],
        [line.rejected for line in lines], [line.cancelled for line in lines],
        [line.expected_at for line in lines],
    )  # fmt: skip


async def open_lines(connection: Connection, skus: Collection[str]) -> list[SupplyLine]:
    """Lines of open supply orders of these SKUs, the first expected first, undated ones last."""
    return [
        SupplyLine(
            supply_id=row["supply_id"], line_id=row["line_id"], sku=row["sku"],
            location=row["location"], is_transfer=row["is_transfer"],
            is_confirmed=row["is_confirmed"], due=row["due"], dispatched=row["dispatched"],
            received=row["received"], rejected=row["rejected"], cancelled=row["cancelled"],
            expected_at=row["expected_at"],
        )
        for row in await connection.fetch(OPEN_LINES, list(skus))
    ]  # fmt: skip


async def prune(connection: Connection, before: datetime, limit: int) -> int:
    """Forget orders that have been over since before a moment; returns how many."""
    return len(await connection.fetch(PRUNE, before, limit))
