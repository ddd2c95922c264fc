"""What the ledger answered, the highest version of each line."""

from collections.abc import Collection

from pydantic_core import to_json

from shared.contracts.allocations import Allocation
from shared.postgres.connecting import Connection

KEEP = """
insert into orders.outcomes as o (order_id, line_id, version, decided_for, sku, wanted, shipped,
                                  short, short_at, allocated, dated)
select order_id, line_id, version, decided_for, sku, wanted, shipped, short, short_at,
       allocated::jsonb, dated
from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::text[], $6::bigint[],
            $7::bigint[], $8::bigint[], $9::text[], $10::text[], $11::bigint[])
    as i(order_id, line_id, version, decided_for, sku, wanted, shipped, short, short_at, allocated,
         dated)
order by order_id, line_id
on conflict (order_id, line_id) do update set
    version = excluded.version, decided_for = excluded.decided_for, sku = excluded.sku,
    wanted = excluded.wanted, shipped = excluded.shipped, short = excluded.short,
    short_at = excluded.short_at, allocated = excluded.allocated, dated = excluded.dated
where o.version < excluded.version
returning order_id, short
"""
NOTE_SHORT = """
insert into orders.undecided select o.order_id from unnest($1::text[]) i(order_id)
join orders.orders o using (order_id) order by 1 on conflict do nothing
"""


async def keep(connection: Connection, told: Collection[Allocation]) -> int:
    """Keep what is news, one state a line; orders with a short line are decided again.

    Returns how many lines came out short: whatever candidates they could have now, they get.
    """
    if not told:
        return 0
    rows = await connection.fetch(
        KEEP, [a.order_id for a in told], [a.line_id for a in told], [a.version for a in told],
        [a.decided_for for a in told], [a.sku for a in told], [a.wanted for a in told],
        [a.shipped for a in told], [a.short for a in told], [a.short_at for a in told],
        [to_json({x.location: x.quantity for x in a.allocated}).decode() for a in told],
        [a.dated for a in told],
    )  # fmt: skip
    short = [row["order_id"] for row in rows if row["short"]]
    if short:
        await connection.execute(NOTE_SHORT, sorted(set(short)))
    return len(short)
