"""Order lines that wait for a place: what each has, and what a SKU has in all."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.postgres.connecting import Connection

HELD = """
select order_id, line_id, sku, version, quantity from availability.unsourced_lines
join unnest($1::text[], $2::text[]) as i(order_id, line_id) using (order_id, line_id)
order by order_id, line_id for update
"""
KEEP = """
insert into availability.unsourced_lines as l (order_id, line_id, sku, version, quantity)
select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[])
order by 1, 2
on conflict (order_id, line_id) do update
    set sku = excluded.sku, version = excluded.version, quantity = excluded.quantity,
        changed_at = now()
    where l.version < excluded.version
"""

LineKey = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """An order line's latest state: units that nothing serves and that have no place."""

    order_id: str
    line_id: str
    sku: str
    version: int
    quantity: int

    @property
    def key(self) -> LineKey:
        return self.order_id, self.line_id


async def held(connection: Connection, keys: Sequence[LineKey]) -> dict[LineKey, Line]:
    """The lines that are kept, locked."""
    rows = await connection.fetch(HELD, [order for order, _ in keys], [line for _, line in keys])
    return {
        (row["order_id"], row["line_id"]): Line(
            order_id=row["order_id"], line_id=row["line_id"], sku=row["sku"],
            version=row["version"], quantity=row["quantity"],
        )
        for row in rows
    }  # fmt: skip


async def keep(connection: Connection, lines: Sequence[Line]) -> None:
    """Keep the lines' states; a version that is not higher changes nothing."""
    await connection.execute(
        KEEP, [line.order_id for line in lines], [line.line_id for line in lines],
        [line.sku for line in lines], [line.version for line in lines],
        [line.quantity for line in lines],
    )  # fmt: skip
