"""What operations want to know of the whole book, in one statement each."""

from shared.postgres.connecting import Connection

# Buffers never enter: see GLOSSARY.md. SKUs of which nothing is claimed cannot be oversold, and
# what was accepted to wait for goods is not.
OVERSOLD = """
with claimed as (
    select sku_id, sum(units) as units, sum(sellable) as sellable from (
        select sku_id, reserved + allocated as units, sellable from ledger.levels
        union all
        select sku_id, unsourced, 0 from ledger.order_lines where unsourced > 0
        union all
        select sku_id, -least(short, waits), 0 from ledger.order_lines
        where waits > 0 and short > 0
        union all
        select sku_id, -quantity, 0 from ledger.holds
        where is_waiting and settled_at is null) both_sides
    group by sku_id having sum(units) > 0)
select coalesce(sum(greatest(0, units - greatest(0, sellable))), 0)::bigint from claimed
"""


async def oversold_units(connection: Connection) -> int:
    """Units claimed beyond what is sellable, over all SKUs."""
    found: int = await connection.fetchval(OVERSOLD)
    return found
