"""Facts that were told more than once: what holds of each, and under which ids it is known."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

import asyncpg

from services.ledger.domain.corrections import Content, State
from shared.postgres.connecting import Connection

KNOWN_AS = "select event_id, fact_id from ledger.fact_ids where event_id = any($1::uuid[])"
# Facts are locked before levels: corrections of one fact may come by several partitions.
MAKE = """
insert into ledger.facts (fact_id) select i from unnest($1::uuid[]) i order by i
on conflict do nothing
"""
LOCK = "select * from ledger.facts where fact_id = any($1::uuid[]) order by fact_id for update"
POSTED = """
select event_id, type, coalesce((details ->> 'counted')::bigint, quantity) as quantity,
       from_level, from_account, to_level, to_account, occurred_at, source_id, details::text,
       coalesce((details #>> '{document,revision}')::bigint, 0) as revision
from ledger.movements where event_id = any($1::uuid[])
"""
SAVE = """
update ledger.facts f set
    rank = i.rank, is_cancelled = i.is_cancelled, entry_id = i.entry_id, type = i.type,
    quantity = i.quantity, from_level = i.from_level, from_account = i.from_account,
    to_level = i.to_level, to_account = i.to_account, occurred_at = i.occurred_at,
    source_id = i.source_id, details = i.details::jsonb
from unnest($1::uuid[], $2::bigint[], $3::boolean[], $4::uuid[], $5::text[], $6::bigint[],
            $7::integer[], $8::smallint[], $9::integer[], $10::smallint[], $11::timestamptz[],
            $12::integer[], $13::text[])
    as i(fact_id, rank, is_cancelled, entry_id, type, quantity, from_level, from_account, to_level,
         to_account, occurred_at, source_id, details)
where f.fact_id = i.fact_id
"""
NAME = """
insert into ledger.fact_ids (event_id, fact_id) select * from unnest($1::uuid[], $2::uuid[])
on conflict (event_id) do update set fact_id = excluded.fact_id
"""
RENAME = """
update ledger.fact_ids f set fact_id = i.kept
from unnest($1::uuid[], $2::uuid[]) as i(gone, kept) where f.fact_id = i.gone
"""
DROP = "delete from ledger.facts where fact_id = any($1::uuid[])"
PRICE = """
insert into ledger.cost_dirty (sku_id, since, until)
select l.sku_id, min(i.moment), max(i.moment)
from unnest($1::integer[], $2::timestamptz[]) as i(level_id, moment)
join ledger.levels l using (level_id) group by l.sku_id
"""
SKUS_OF = """
select l.level_id, l.sku_id, s.sku from ledger.levels l join ledger.skus s using (sku_id)
where l.level_id = any($1::integer[])
"""


async def roots(connection: Connection, ids: Collection[UUID]) -> dict[UUID, UUID]:
    """The fact that each id stands for, where it isn't its own."""
    return {row[0]: row[1] for row in await connection.fetch(KNOWN_AS, list(ids))}


async def lock(connection: Connection, ids: Collection[UUID]) -> dict[UUID, State]:
    """Lock these facts, made where they are new; a new one is untold."""
    await connection.execute(MAKE, list(ids))
    return {row["fact_id"]: _state(row) for row in await connection.fetch(LOCK, list(ids))}


async def posted(connection: Connection, ids: Collection[UUID]) -> dict[UUID, tuple[int, Content]]:
    """Revision and content of the movements with these ids, as they were first posted."""
    return {
        row["event_id"]: (row["revision"], _content(row))
        for row in await connection.fetch(POSTED, list(ids))
    }


async def save(connection: Connection, states: Sequence[State]) -> None:
    """Keep how these facts stand now."""
    contents = [state.content or (None,) * 9 for state in states]
    columns = [list(column) for column in zip(*contents, strict=True)] if contents else [[]] * 9
    await connection.execute(
        SAVE, [s.fact_id for s in states], [s.rank for s in states],
        [s.is_cancelled for s in states], [s.entry_id for s in states], *columns,
    )  # fmt: skip


async def price(connection: Connection, contents: Sequence[Content]) -> None:
    """Have the costs of what these facts move worked out again."""
    sides = [
        (level, content.occurred_at)
        for content in contents
        for level in (content.from_level, content.to_level)
        if level is not None
    ]
    await connection.execute(PRICE, [level for level, _ in sides], [at for _, at in sides])


async def name(
    connection: Connection, names: Mapping[UUID, UUID], merged: Mapping[UUID, UUID]
) -> None:
    """These ids stand for these facts from now on; facts that were `merged` are gone."""
    if merged:
        await connection.execute(RENAME, list(merged), list(merged.values()))
        await connection.execute(DROP, list(merged))
    if names:
        await connection.execute(NAME, list(names), list(names.values()))


async def skus_of(connection: Connection, levels: Collection[int]) -> dict[int, tuple[int, str]]:
    """Number and name of the SKU at each level."""
    rows = await connection.fetch(SKUS_OF, list(levels))
    return {row["level_id"]: (row["sku_id"], row["sku"]) for row in rows}


def _state(row: asyncpg.Record) -> State:
    content = None if row["type"] is None else _content(row)
    return State(row["fact_id"], row["rank"], row["is_cancelled"], content, row["entry_id"])


def _content(row: asyncpg.Record) -> Content:
    content = Content(
        row["type"], row["quantity"], row["from_level"], row["from_account"], row["to_level"],
        row["to_account"], row["occurred_at"], row["source_id"], row["details"],
    )  # fmt: skip
    # A variance goes either way; the account that a count sets is the one inside.
    if content.is_anchor and content.to_level is None:
        return content.reversed()
    return content
