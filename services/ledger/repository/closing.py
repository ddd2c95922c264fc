"""Closing months: balances written level by level, then the month's movements detached.

Nothing is deleted: a detached month is a table of its own, to be kept elsewhere and dropped by
whoever runs the ledger.
"""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

import asyncpg

from shared.postgres.connecting import Connection

CONSTRAINT = "movements_not_too_old"
# The lock that a changed constraint or a detached month needs waits for open batches, and batches
# wait behind it: rather give up soon, and try again in an hour.
BRIEFLY = "set local lock_timeout = '500ms'"

HORIZON = "select first_id, first_month from ledger.horizon"
FIRST_ID = "select ledger.first_id_at($1::date::timestamp at time zone 'UTC')"
# What the catch-all holds of months that nobody made ahead: they get tables of their own first.
STRAYS = """
select distinct date_trunc('month', to_timestamp(
    ('x' || substr(replace(event_id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0)
    at time zone 'UTC')::date
from ledger.movements_elsewhere where event_id < $1 order by 1
"""
MAKE_MONTH = "call ledger.make_months($1, $1)"
CONSTRAIN = """
alter table ledger.movements drop constraint if exists {constraint},
    add constraint {constraint} check (event_id >= '{first_id}') not valid
"""
RAISE = """
update ledger.horizon set first_id = $1, first_month = $2
where first_month is null or first_month < $2
"""
ATTACHED = """
select to_date(substr(c.relname, 11), 'YYYY_MM') as month
from pg_inherits i join pg_class c on c.oid = i.inhrelid
where i.inhparent = 'ledger.movements'::regclass and c.relname ~ '^movements_[0-9]{4}_[0-9]{2}$'
  and to_date(substr(c.relname, 11), 'YYYY_MM') < $1
order by 1
"""
BEGIN = "insert into ledger.closed_months (month) values ($1) on conflict do nothing"
CLOSED_TO = "select closed_to from ledger.closed_months where month = $1"
LAST_LEVEL = "select coalesce(max(level_id), 0) from ledger.levels"
CLOSE = """
with moved as (
    select level_id, account_id, sum(delta) as delta, count(*) as movements,
           max(recorded_at) as recorded_until
    from (
        select to_level as level_id, to_account as account_id, quantity as delta, recorded_at
        from ledger.{table} where to_level > $2 and to_level <= $3
        union all
        select from_level, from_account, -quantity, recorded_at
        from ledger.{table} where from_level > $2 and from_level <= $3) sides
    group by 1, 2),
written as (
    insert into ledger.closing_balances (level_id, account_id, month, quantity, movements,
                                         recorded_until)
    select m.level_id, m.account_id, $1, m.delta + coalesce(b.quantity, 0),
           m.movements + coalesce(b.movements, 0),
           greatest(m.recorded_until, b.recorded_until)
    from moved m left join lateral (
        select quantity, movements, recorded_until from ledger.closing_balances p
        where p.level_id = m.level_id and p.account_id = m.account_id and p.month < $1
        order by p.month desc limit 1) b on true
    on conflict do nothing)
update ledger.closed_months set closed_to = greatest(closed_to, $3) where month = $1
"""
HOLD_MONTH = """
select detached_at is null from ledger.closed_months where month = $1 for update
"""
DETACH = "alter table ledger.movements detach partition ledger.{table}"
NOTE_DETACHED = "update ledger.closed_months set detached_at = now() where month = $1"


@dataclass(frozen=True, slots=True)
class Horizon:
    """The first month that is open, and the lowest event id in it; None: every month is."""

    first_id: UUID | None
    first_month: date | None


def table_of(month: date) -> str:
    """The table of a month's movements."""
    return f"movements_{month:%Y_%m}"


async def horizon(connection: Connection) -> Horizon:
    """From where on events are posted."""
    row = await connection.fetchrow(HORIZON)
    assert row is not None, "the horizon is one row"
    return Horizon(row["first_id"], row["first_month"])


async def raise_horizon(connection: Connection, first_month: date) -> None:
    """From now on no event from before this month is posted.

    The constraint's lock waits for every open batch: what those post is there before a balance is
    written. Raises LockNotAvailableError when batches keep it waiting.
    """
    async with connection.transaction():
        first_id: UUID = await connection.fetchval(FIRST_ID, first_month)
        for row in await connection.fetch(STRAYS, first_id):
            await connection.execute(MAKE_MONTH, row[0])
        await connection.execute(BRIEFLY)
        await connection.execute(CONSTRAIN.format(constraint=CONSTRAINT, first_id=first_id))
        await connection.execute(RAISE, first_id, first_month)


async def attached_before(connection: Connection, first_month: date) -> list[date]:
    """Months before this one whose movements are still attached, the oldest first."""
    return [row[0] for row in await connection.fetch(ATTACHED, first_month)]


async def close_slice(connection: Connection, month: date, levels: int) -> bool:
    """Write the balances of the next levels at the end of a month; says whether there are more.

    The month is held before its table is touched, in the order of `detach`: who reads the table
    first and then waits for the month waits for whoever detaches that table, and he for him.
    """
    await connection.execute(BEGIN, month)
    async with connection.transaction():
        if not await connection.fetchval(HOLD_MONTH, month):
            return False
        closed_to: int = await connection.fetchval(CLOSED_TO, month)
        last: int = await connection.fetchval(LAST_LEVEL)
        if closed_to >= last:
            return False
        statement = CLOSE.format(table=table_of(month))
        await connection.execute(statement, month, closed_to, closed_to + levels)
    return True


async def detach(connection: Connection, month: date) -> None:
    """Take a closed month's movements out; twice is once. Raises LockNotAvailableError."""
    async with connection.transaction():
        await connection.execute(BRIEFLY)
        if not await connection.fetchval(HOLD_MONTH, month):
            return
        await connection.execute(DETACH.format(table=table_of(month)))
        await connection.execute(NOTE_DETACHED, month)


def is_too_old(error: BaseException) -> bool:
    """Was this error raised because an event belongs to a closed month?"""
    return (
        isinstance(error, asyncpg.CheckViolationError)
        and getattr(error, "constraint_name", None) == CONSTRAINT
    )
