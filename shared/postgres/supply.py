"""Supply orders as last told, and what their lines will still bring.

Every service that keeps them has tables of the same shape, `supply_orders` and `supply_lines`.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.kafka.batches import Batch
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql
from shared.stock.supply import SupplyLine

FENCE = "with {fence} select count(*) from gate"
KEEP_ORDERS = """
insert into {schema}.supply_orders as o (supply_id, revision, is_open, type, state, supplier_id)
select * from unnest($1::text[], $2::bigint[], $3::boolean[], $4::text[], $5::text[], $6::text[])
order by 1
on conflict (supply_id) do update
    set revision = excluded.revision, is_open = excluded.is_open, type = excluded.type,
        state = excluded.state, supplier_id = excluded.supplier_id, changed_at = now()
    where o.revision < excluded.revision
returning supply_id
"""
# A line that the latest state no longer names is no longer expected.
DROP_LINES = """
delete from {schema}.supply_lines where supply_id = any($1::text[])
and (supply_id, line_id) not in (select * from unnest($2::text[], $3::text[]))
"""
KEEP_LINES = """
insert into {schema}.supply_lines as l
    (supply_id, line_id, sku, location, is_transfer, is_confirmed, due, ordered, dispatched,
     received, rejected, cancelled, expected_at)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::boolean[], $6::boolean[],
                     $7::bigint[], $8::bigint[], $9::bigint[], $10::bigint[], $11::bigint[],
                     $12::bigint[], $13::timestamptz[])
on conflict (supply_id, line_id) do update
    set sku = excluded.sku, location = excluded.location, is_transfer = excluded.is_transfer,
        is_confirmed = excluded.is_confirmed, due = excluded.due, ordered = excluded.ordered,
        dispatched = greatest(l.dispatched, excluded.dispatched),
        received = greatest(l.received, excluded.received),
        rejected = greatest(l.rejected, excluded.rejected),
        cancelled = greatest(l.cancelled, excluded.cancelled),
        expected_at = excluded.expected_at
"""
OPEN_LINES = """
select l.* from {schema}.supply_lines l join {schema}.supply_orders o using (supply_id)
where l.sku = any($1::text[]) and o.is_open order by l.expected_at, l.supply_id, l.line_id
"""
PRUNE = """
delete from {schema}.supply_orders where supply_id in (
    select supply_id from {schema}.supply_orders where not is_open and changed_at < $1
    limit $2 for update skip locked)
returning 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """A supply order's latest state; one that is not open brings nothing more."""

    supply_id: str
    revision: int
    is_open: bool
    type: str
    state: str
    supplier_id: str | None
    lines: Sequence[SupplyLine]


class SupplyRows:
    """The supply orders of one service (its Postgres schema)."""

    def __init__(self, *, schema: str) -> None:
        self._fence = FENCE.format(fence=fence_sql(schema, 1))
        self._keep_orders = KEEP_ORDERS.format(schema=schema)
        self._drop_lines = DROP_LINES.format(schema=schema)
        self._keep_lines = KEEP_LINES.format(schema=schema)
        self._open_lines = OPEN_LINES.format(schema=schema)
        self._prune = PRUNE.format(schema=schema)

    async def hold_fence(self, connection: Connection, batch: Batch) -> bool:
        """Move the batch's positions; says whether they were still ours to move."""
        s = batch.slices
        count: int = await connection.fetchval(
            self._fence, [x.topic for x in s], [x.partition for x in s], [x.epoch for x in s],
            [x.expected for x in s], [x.next_offset for x in s],
        )  # fmt: skip
        return bool(count)

    async def keep(self, connection: Connection, told: Mapping[str, Supply]) -> None:
        """Keep the states that are news, each whole; a revision not higher changes nothing."""
        rows = await connection.fetch(
            self._keep_orders, list(told), [s.revision for s in told.values()],
            [s.is_open for s in told.values()], [s.type for s in told.values()],
            [s.state for s in told.values()], [s.supplier_id for s in told.values()],
        )  # fmt: skip
        news = [told[row["supply_id"]] for row in rows]
        lines = [line for supply in news for line in supply.lines]
        ids, names = [line.supply_id for line in lines], [line.line_id for line in lines]
        await connection.execute(self._drop_lines, [s.supply_id for s in news], ids, names)
        await connection.execute(
            self._keep_lines, ids, names, [line.sku for line in lines],
            [line.location for line in lines], [line.is_transfer for line in lines],
            [line.is_confirmed for line in lines], [line.due for line in lines],
            [line.ordered for line in lines], [line.dispatched for line in lines],
            [line.received for line in lines], [line.rejected for line in lines],
            [line.cancelled for line in lines], [line.expected_at for line in lines],
        )  # fmt: skip

    async def open_lines(self, connection: Connection, skus: Collection[str]) -> list[SupplyLine]:
        """Lines of open supply orders of these SKUs, the first expected first, undated last."""
        return [line_of(row) for row in await connection.fetch(self._open_lines, list(skus))]

    async def prune(self, connection: Connection, before: datetime, limit: int) -> int:
        """Forget orders that have been over since before a moment; returns how many."""
        return len(await connection.fetch(self._prune, before, limit))


def line_of(row: asyncpg.Record) -> SupplyLine:
    """A row of `supply_lines`."""
    return SupplyLine(
        supply_id=row["supply_id"], line_id=row["line_id"], sku=row["sku"],
        location=row["location"], is_transfer=row["is_transfer"],
        is_confirmed=row["is_confirmed"], due=row["due"], ordered=row["ordered"],
        dispatched=row["dispatched"], received=row["received"], rejected=row["rejected"],
        cancelled=row["cancelled"], expected_at=row["expected_at"],
    )  # fmt: skip
