"""Order states into folded orders, and the wishes that follow."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.orders.domain.folding import Order, join_orders
from services.orders.domain.sourcing import Sourcing
from services.orders.handlers.deciding import decide_orders
from services.orders.repository import folding
from services.orders.repository.folding import Decided, OrderRow
from shared.postgres.connecting import Connection


@dataclass(frozen=True, slots=True)
class Folded:
    """What a batch of order states did: orders that changed, and what was decided for them."""

    changed: int
    decided: list[Decided]


async def fold_orders(
    connection: Connection, told: Mapping[str, Order], sourcing: Sourcing, now: datetime
) -> Folded:
    """Fold the states, and decide the orders for which they were news."""
    if not told:
        return Folded(0, [])
    rows = await folding.lock_new(connection, sorted(told))
    changed: list[tuple[OrderRow, Order]] = []
    for order_id, row in rows.items():
        order = told[order_id]
        folded = order if row.order is None else join_orders(row.order, order)
        if folded != row.order:
            row.order = folded
            changed.append((row, folded))
    await folding.save_orders(connection, [order for _, order in changed])
    decided = await decide_orders(connection, [row for row, _ in changed], sourcing, now)
    return Folded(len(changed), decided)
