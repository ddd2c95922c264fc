"""Requests to tell every state of a topic again, and how far each has come."""

from collections.abc import Collection
from dataclasses import dataclass

from shared.contracts.topics import ALLOCATIONS, STOCK_LEVELS
from shared.postgres.connecting import Connection

# The same request once more is answered once more; another one begins anew.
KEEP = """
insert into ledger.republishes as r (topic, asked_by, request_id)
select * from unnest($1::text[], $2::text[], $3::text[]) order by 1, 2
on conflict (topic, asked_by) do update set
    request_id = excluded.request_id, told_at = null,
    next_key = case when r.request_id = excluded.request_id then r.next_key else 0 end,
    last_row = case when r.request_id = excluded.request_id then r.last_row else 0 end,
    asked_at = case when r.request_id = excluded.request_id then r.asked_at else now() end
"""
TAKE = """
select topic, asked_by, request_id, next_key, last_row from ledger.republishes
where told_at is null order by asked_at limit 1 for update skip locked
"""
MOVE = """
update ledger.republishes set next_key = $3, last_row = $4 where topic = $1 and asked_by = $2
"""
TOLD = """
update ledger.republishes set told_at = now()
where topic = $1 and asked_by = $2 and request_id = $3
"""
IS_OPEN = "select exists (select from ledger.unpublished where row_id <= $1 and kind = $2)"
NOTE = """
with slice as (
    {states} limit $2),
dirty as (
    insert into ledger.unpublished (kind, partition, keys)
    select '{kind}', partition, array_agg(key) from (
        select key, partition, (row_number() over (order by key)) / 2000 as chunk from slice) x
    group by partition, chunk returning row_id)
select (select max(key) from slice) as last_key, (select max(row_id) from dirty) as last_row
"""
LEVELS = """select level_id::bigint as key, partition from ledger.levels
    join ledger.skus using (sku_id) where level_id > $1 order by level_id"""
LINES = """select order_line_id as key, partition from ledger.order_lines
    where order_line_id > $1 and part_of is null order by order_line_id"""

KINDS = {STOCK_LEVELS.name: "level", ALLOCATIONS.name: "line"}
NOTES = {
    STOCK_LEVELS.name: NOTE.format(kind="level", states=LEVELS),
    ALLOCATIONS.name: NOTE.format(kind="line", states=LINES),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """Who asks for which topic; `next_key` and `last_row` say how far it has come."""

    topic: str
    asked_by: str
    request_id: str
    next_key: int = 0
    last_row: int = 0


async def keep(connection: Connection, requests: Collection[Request]) -> None:
    """Keep requests for topics that are the ledger's; of one reader and topic the last counts."""
    ours = {(r.topic, r.asked_by): r for r in requests if r.topic in KINDS}.values()
    if ours:
        await connection.execute(
            KEEP, [r.topic for r in ours], [r.asked_by for r in ours], [r.request_id for r in ours]
        )


async def take(connection: Connection) -> Request | None:
    """The oldest request that is not answered, locked; None where there is none to work at."""
    row = await connection.fetchrow(TAKE)
    return None if row is None else Request(**row)


async def has_open(connection: Connection, request: Request) -> bool:
    """Has the relay still to publish what was noted for this request?"""
    found: bool = await connection.fetchval(IS_OPEN, request.last_row, KINDS[request.topic])
    return found


async def note_slice(connection: Connection, request: Request, states: int) -> bool:
    """Note the next states to be told; False where there are no more."""
    row = await connection.fetchrow(NOTES[request.topic], request.next_key, states)
    assert row is not None, "two aggregates give a row"
    if row["last_key"] is None:
        return False
    await connection.execute(
        MOVE, request.topic, request.asked_by, row["last_key"], row["last_row"]
    )
    return True


async def tell(connection: Connection, request: Request) -> None:
    """The request has been answered."""
    await connection.execute(TOLD, request.topic, request.asked_by, request.request_id)
