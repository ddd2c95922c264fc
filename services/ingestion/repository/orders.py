"""Orders as they were last told, and what of them Kafka has not heard yet."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts.cloudevents import headers_for
from shared.contracts.orders import Order
from shared.contracts.topics import ORDERS
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import Connection, Pool
from shared.postgres.unpublished import UnpublishedRows

READ = """
select order_id, state::text, units::text, refunds::text from ingestion.orders
where order_id = any($1::text[]) order by order_id for update
"""
WRITE = """
with told as (
    insert into ingestion.orders as o (order_id, channel, state, units, refunds, changed_at)
    select order_id, channel, state::jsonb, units::jsonb, refunds::jsonb, $7
    from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[])
        as i(order_id, channel, state, units, refunds)
    order by order_id
    on conflict (order_id) do update
        set state = excluded.state, units = excluded.units, refunds = excluded.refunds,
            changed_at = excluded.changed_at
    returning order_id, order_row)
insert into ingestion.unpublished (kind, partition, keys)
select 'order', p.partition, array_agg(told.order_row)
from told join unnest($1::text[], $6::integer[]) as p(order_id, partition) using (order_id)
group by p.partition
"""
LATEST = """
select channel, state::text, changed_at from ingestion.orders where order_row = any($1::bigint[])
"""

Units = dict[str, int]  # line → base units


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptOrder:
    """A canonical order; `units` are base units of one unit of each line's listing, `refunds` the
    base units per refund and line that are no longer wanted.
    """

    order: Order
    units: Units = field(default_factory=dict)
    refunds: Mapping[str, Units] = field(default_factory=dict)


async def read(connection: Connection, order_ids: Collection[str]) -> dict[str, KeptOrder]:
    """The orders as kept, locked until the transaction ends."""
    rows = await connection.fetch(READ, list(order_ids))
    return {
        row["order_id"]: KeptOrder(
            order=Order.decode(row["state"]), units=json.loads(row["units"]),
            refunds=json.loads(row["refunds"]),
        )
        for row in rows
    }  # fmt: skip


async def write(connection: Connection, orders: Sequence[KeptOrder], now: datetime) -> None:
    """Keep the orders, and leave them to be published: both or neither."""
    if not orders:
        return
    await connection.execute(
        WRITE,
        [o.order.order_id for o in orders], [o.order.channel for o in orders],
        [o.order.encode().decode() for o in orders], [json.dumps(o.units) for o in orders],
        [json.dumps(o.refunds) for o in orders], [ORDERS.partition_of(o.order) for o in orders],
        now,
    )  # fmt: skip


class OrderStates(UnpublishedRows):
    """`Publishable` for the relay: the latest state of every order that has changed."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, schema="ingestion")

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """The present states as messages."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(LATEST, [key for _, key in keys])
        return [
            outgoing(Order.decode(row["state"]), row["channel"], row["changed_at"]) for row in rows
        ]


def outgoing(order: Order, channel: str, changed_at: datetime) -> Outgoing:
    """A state as a message; its source is the shop."""
    return Outgoing(
        topic=ORDERS.name,
        partition=ORDERS.partition_of(order),
        key=order.key(),
        value=order.encode(),
        headers=headers_for(
            id_=f"{order.order_id[:160]}@{changed_at.isoformat()}", source=channel,
            type_=ORDERS.ce_type, time=changed_at, dataschema=ORDERS.dataschema,
        ),
    )  # fmt: skip
