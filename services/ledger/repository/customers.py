"""What customers have been given of SKUs: the demand that limits per customer count."""

from collections.abc import Collection
from datetime import datetime

from services.ledger.domain.limits import Had
from shared.postgres.connecting import Connection

# A part of a kit is a row: a line has as many kits of parts as its part of most units makes up,
# besides those that stood made up.
HAD = """
select customer, sku_id, held_from, sum(units)::bigint as units from (
    select customer, asked as sku_id, held_from, hold_id, line, max(units) as units from (
        select h.beneficiary::json ->> 'customer_ref' as customer,
               coalesce(h.kit_sku_id, h.sku_id) as asked, h.kit_sku_id, h.sku_id, h.hold_id, h.line,
               h.held_from, sum(h.quantity) / coalesce(min(h.per_kit), 1) as units
        from ledger.holds h
        where h.beneficiary::json ->> 'customer_ref' = any($1::text[])
          and coalesce(h.kit_sku_id, h.sku_id) = any($2::integer[])
          and h.purpose in ('cart', 'order', 'in_store')
          and (h.outcome in ('confirmed', 'taken')
               or h.outcome is null and (h.held_until is null or h.held_until > $3))
        group by customer, h.kit_sku_id, h.sku_id, h.hold_id, h.line, h.held_from) parts
    group by customer, asked, kit_sku_id, held_from, hold_id, line) lines
group by customer, sku_id, held_from order by held_from
"""

Given = dict[int, dict[str, tuple[Had, ...]]]  # by SKU, then by customer


async def read_had(
    connection: Connection, customers: Collection[str], sku_ids: Collection[int], now: datetime
) -> Given:
    """What each of the customers has been given of each SKU, a kit counted as one."""
    found: Given = {}
    for row in await connection.fetch(HAD, list(customers), list(sku_ids), now):
        of_sku = found.setdefault(row["sku_id"], {})
        had = Had(row["held_from"], row["units"])
        of_sku[row["customer"]] = (*of_sku.get(row["customer"], ()), had)
    return found
