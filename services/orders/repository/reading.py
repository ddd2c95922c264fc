"""Orders as people ask for them."""

import json
from dataclasses import dataclass

import asyncpg

from services.orders.domain.folding import Order
from services.orders.repository.folding import ORDER
from shared.postgres.connecting import Connection

ORDER_BY_ID = """
select folded, heard_at from orders.orders where order_id = $1 and folded is not null
"""
LINES = """
select l.line_id, l.decision, l.reason, l.waits_for, l.revision, c.sku as command_sku, c.wish,
       a.version, a.decided_for, a.wanted, a.shipped, a.short, a.short_at, a.allocated, a.dated
from orders.lines l
left join orders.commands c
    on c.order_id = l.order_id and c.line_id = l.line_id and c.revision = l.revision
left join orders.outcomes a on a.order_id = l.order_id and a.line_id = l.line_id
where l.order_id = $1 order by l.line_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A folded order, and rows of what was decided for its lines and what the ledger answered."""

    order: Order
    lines: list[asyncpg.Record]


async def find(connection: Connection, order_id: str) -> Found | None:
    """The order of this id; None where nobody has told of it."""
    row = await connection.fetchrow(ORDER_BY_ID, order_id)
    if row is None:
        return None
    lines = await connection.fetch(LINES, order_id)
    return Found(order=ORDER.validate_json(row["folded"]), lines=lines)


def json_of(text: str | None) -> object:
    """A jsonb column's value."""
    return None if text is None else json.loads(text)


def order_json(order: Order) -> dict[str, object]:
    """The folded order as JSON values."""
    told: dict[str, object] = ORDER.dump_python(order, mode="json")
    return told
