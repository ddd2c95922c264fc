"""Folded orders, what was decided for their lines, and the commands sent: locked and written."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg
from pydantic import TypeAdapter

from services.orders.domain.folding import Order
from services.orders.domain.outcomes import Outcome
from services.orders.domain.references import Sold
from services.orders.domain.wishing import Command, Wish
from shared.contracts.partitions import partition_for
from shared.contracts.topics import ORDERS
from shared.postgres.connecting import Connection

ORDER = TypeAdapter(Order)
WISH = TypeAdapter(Wish)

ENSURE = """
insert into orders.orders (order_id, partition)
select * from unnest($1::text[], $2::smallint[]) order by 1 on conflict do nothing
"""
LOCK = """
select order_id, partition, heard_at, folded from orders.orders
where order_id = any($1::text[]) order by order_id for update
"""
LINES = """
select order_id, line_id, listing, sold_sku, sold_units, sold_by from orders.lines
where order_id = any($1::text[]) and sold_sku is not null
"""
COMMANDS = """
select order_id, line_id, sku, revision, closed, wish from orders.commands
where order_id = any($1::text[])
"""
OUTCOMES = """
select order_id, line_id, version, decided_for, wanted, shipped, short, short_at, dated
from orders.outcomes where order_id = any($1::text[])
"""
SAVE_ORDERS = """
update orders.orders o set channel = i.channel, state = i.state, folded = i.folded::jsonb
from unnest($1::text[], $2::text[], $3::text[], $4::text[]) as i(order_id, channel, state, folded)
where o.order_id = i.order_id
"""
SAVE_LINES = """
insert into orders.lines as l (order_id, line_id, channel, listing, decision, reason, waits_for,
                               revision, sold_sku, sold_units, sold_by)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[],
                     $7::text[], $8::bigint[], $9::text[], $10::bigint[], $11::text[])
    as i(order_id, line_id, channel, listing, decision, reason, waits_for, revision, sold_sku,
         sold_units, sold_by)
on conflict (order_id, line_id) do update set
    channel = excluded.channel, listing = excluded.listing, decision = excluded.decision,
    reason = excluded.reason, waits_for = excluded.waits_for, revision = excluded.revision,
    sold_sku = excluded.sold_sku, sold_units = excluded.sold_units, sold_by = excluded.sold_by,
    decided_at = now()
where (l.channel, l.listing, l.decision, l.reason, l.waits_for, l.revision, l.sold_sku,
       l.sold_units, l.sold_by) is distinct from
      (excluded.channel, excluded.listing, excluded.decision, excluded.reason, excluded.waits_for,
       excluded.revision, excluded.sold_sku, excluded.sold_units, excluded.sold_by)
"""
SAVE_COMMANDS = """
with saved as (
    insert into orders.commands (order_id, line_id, sku, revision, closed, wish)
    select order_id, line_id, sku, revision, closed, wish::jsonb
    from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::text[])
        as i(order_id, line_id, sku, revision, closed, wish)
    on conflict (order_id, line_id, sku) do update set
        revision = excluded.revision, closed = excluded.closed, wish = excluded.wish,
        recorded_at = now()
    returning command_id, order_id)
insert into orders.unpublished (kind, partition, keys)
select 'command', o.partition, array_agg(s.command_id)
from saved s join orders.orders o using (order_id) group by o.partition
"""
TAKE_UNDECIDED = """
delete from orders.undecided where order_id in (
    select order_id from orders.undecided where $2::text is null or order_id = $2
    order by order_id limit $1 for update skip locked)
returning order_id
"""
NOTE_UNDECIDED = """
insert into orders.undecided select o.order_id from unnest($1::text[]) i(order_id)
join orders.orders o using (order_id) order by 1 on conflict do nothing
"""
FORGET_UNDECIDED = "delete from orders.undecided where order_id = $1"
NEXT_UNDECIDED = "select order_id from orders.undecided order by order_id limit $1"


@dataclass(slots=True)
class LineRow:
    """What is held of one line; `sold` is what its `listing` was resolved to."""

    listing: str | None = None
    sold: Sold | None = None
    commands: dict[str, Command] = field(default_factory=dict)
    outcome: Outcome | None = None


@dataclass(slots=True)
class OrderRow:
    """One order, locked; `order` is None before the first state is folded."""

    order_id: str
    partition: int
    heard_at: datetime
    order: Order | None
    lines: dict[str, LineRow] = field(default_factory=dict)

    def line(self, line_id: str) -> LineRow:
        """What is held of a line; nothing yet of a new one."""
        return self.lines.setdefault(line_id, LineRow())


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What was decided for one line, to be written."""

    order_id: str
    line_id: str
    channel: str
    listing: str | None
    decision: str
    reason: str | None
    waits_for: str | None
    revision: int | None
    sold: Sold | None
    commands: Sequence[Command]


async def lock_new(connection: Connection, order_ids: Collection[str]) -> dict[str, OrderRow]:
    """The orders with what is held of their lines, locked by id; unknown ones are made."""
    partitions = [partition_for(name.encode(), ORDERS.partitions) for name in order_ids]
    await connection.execute(ENSURE, list(order_ids), partitions)
    return await lock(connection, order_ids)


async def lock(connection: Connection, order_ids: Collection[str]) -> dict[str, OrderRow]:
    """The orders that exist, locked in the order of their ids."""
    names = list(order_ids)
    rows = {
        row["order_id"]: OrderRow(
            order_id=row["order_id"], partition=row["partition"], heard_at=row["heard_at"],
            order=None if row["folded"] is None else ORDER.validate_json(row["folded"]),
        )
        for row in await connection.fetch(LOCK, names)
    }  # fmt: skip
    for row in await connection.fetch(LINES, names):
        line = rows[row["order_id"]].line(row["line_id"])
        line.listing = row["listing"]
        line.sold = Sold(sku=row["sold_sku"], units=row["sold_units"], fulfilled_by=row["sold_by"])
    for row in await connection.fetch(COMMANDS, names):
        command = Command(
            revision=row["revision"], closed=row["closed"], wish=WISH.validate_json(row["wish"])
        )
        rows[row["order_id"]].line(row["line_id"]).commands[row["sku"]] = command
    for row in await connection.fetch(OUTCOMES, names):
        if row["order_id"] in rows:
            rows[row["order_id"]].line(row["line_id"]).outcome = outcome_of(row)
    return rows


def outcome_of(row: asyncpg.Record) -> Outcome:
    """The ledger's answer in a row of `outcomes`."""
    return Outcome(
        version=row["version"], decided_for=row["decided_for"], wanted=row["wanted"],
        shipped=row["shipped"], short=row["short"], short_at=row["short_at"],
        dated=row["dated"],
    )  # fmt: skip


async def save_orders(connection: Connection, orders: Sequence[Order]) -> None:
    """Write folded orders whose rows are locked."""
    if orders:
        await connection.execute(
            SAVE_ORDERS, [o.order_id for o in orders], [o.channel for o in orders],
            [str(o.state) for o in orders], [ORDER.dump_json(o).decode() for o in orders],
        )  # fmt: skip


async def save_decided(connection: Connection, decided: Sequence[Decided]) -> None:
    """Write the decisions, and the commands that follow with the rows that the relay reads."""
    if not decided:
        return
    await connection.execute(
        SAVE_LINES, [d.order_id for d in decided], [d.line_id for d in decided],
        [d.channel for d in decided], [d.listing for d in decided], [d.decision for d in decided],
        [d.reason for d in decided], [d.waits_for for d in decided],
        [d.revision for d in decided], [d.sold.sku if d.sold else None for d in decided],
        [d.sold.units if d.sold else None for d in decided],
        [d.sold.fulfilled_by if d.sold else None for d in decided],
    )  # fmt: skip
    sent = [(d, command) for d in decided for command in d.commands]
    if sent:
        await connection.execute(
            SAVE_COMMANDS, [d.order_id for d, _ in sent], [d.line_id for d, _ in sent],
            [c.wish.sku for _, c in sent], [c.revision for _, c in sent],
            [c.closed for _, c in sent], [WISH.dump_json(c.wish).decode() for _, c in sent],
        )  # fmt: skip


async def take_undecided(connection: Connection, limit: int, only: str | None = None) -> list[str]:
    """Take orders to decide again, or the one of that id; other workers take others."""
    return [row[0] for row in await connection.fetch(TAKE_UNDECIDED, limit, only)]


async def next_undecided(connection: Connection, limit: int) -> list[str]:
    """The orders that the next slice would take, untouched."""
    return [row[0] for row in await connection.fetch(NEXT_UNDECIDED, limit)]


async def note_undecided(connection: Connection, order_ids: Collection[str]) -> None:
    """Have orders decided again."""
    if order_ids:
        await connection.execute(NOTE_UNDECIDED, list(order_ids))


async def pass_over(connection: Connection, order_id: str) -> None:
    """Decide an order not again, until something notes it anew."""
    await connection.execute(FORGET_UNDECIDED, order_id)
