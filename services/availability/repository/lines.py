"""Order lines that nothing is held for: without a place, or wanted for later."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from shared.postgres.connecting import Connection

HELD = """
select order_id, line_id, sku, version, quantity, dated, requested_for
from availability.unsourced_lines
join unnest($1::text[], $2::text[]) as i(order_id, line_id) using (order_id, line_id)
order by order_id, line_id for update
"""
KEEP = """
insert into availability.unsourced_lines as l
    (order_id, line_id, sku, version, quantity, dated, requested_for)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::bigint[],
                     $7::timestamptz[])
order by 1, 2
on conflict (order_id, line_id) do update
    set sku = excluded.sku, version = excluded.version, quantity = excluded.quantity,
        dated = excluded.dated, requested_for = excluded.requested_for, changed_at = now()
    where l.version < excluded.version
"""
DATED = """
select requested_for, sum(dated)::bigint as units from availability.unsourced_lines
where sku = $1 and dated > 0 group by 1 order by 1
"""
# Lines that wait for nothing any more are kept for a while, since their version is what an older
# state of theirs, told late, is judged by.
PRUNE = """
delete from availability.unsourced_lines where (order_id, line_id) in (
    select order_id, line_id from availability.unsourced_lines
    where quantity = 0 and dated = 0 and changed_at < $1 limit $2 for update skip locked)
returning 1
"""

LineKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An order line's latest state: units that have no place, and units wanted for later."""

    order_id: str
    line_id: str
    sku: str
    version: int
    quantity: int
    dated: int = 0
    requested_for: datetime | None = None

    @property
    def is_settled(self) -> bool:
        """Waits for nothing."""
        return self.quantity == 0 and self.dated == 0

    @property
    def key(self) -> LineKey:
        return self.order_id, self.line_id


async def held(connection: Connection, keys: Sequence[LineKey]) -> dict[LineKey, Line]:
    """The lines that are kept, locked."""
    rows = await connection.fetch(HELD, [order for order, _ in keys], [line for _, line in keys])
    return {
        (row["order_id"], row["line_id"]): Line(
            order_id=row["order_id"], line_id=row["line_id"], sku=row["sku"],
            version=row["version"], quantity=row["quantity"], dated=row["dated"],
            requested_for=row["requested_for"],
        )
        for row in rows
    }  # fmt: skip


async def keep(connection: Connection, lines: Sequence[Line]) -> None:
    """Keep the lines' states; a version that is not higher changes nothing."""
    await connection.execute(
        KEEP, [line.order_id for line in lines], [line.line_id for line in lines],
        [line.sku for line in lines], [line.version for line in lines],
        [line.quantity for line in lines], [line.dated for line in lines],
        [line.requested_for for line in lines],
    )  # fmt: skip


async def dated_demand(connection: Connection, sku: str) -> list[tuple[datetime, int]]:
    """Units of the SKU that are accepted for later and not held, by their moment."""
    return [(row[0], row[1]) for row in await connection.fetch(DATED, sku)]


async def prune(connection: Connection, before: datetime, limit: int) -> int:
    """Forget lines that have waited for nothing since before a moment; returns how many."""
    return len(await connection.fetch(PRUNE, before, limit))
