"""Folded returns, and the movements that follow from what is graded."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from pydantic import TypeAdapter

from services.orders.domain.returning import Return
from shared.contracts.partitions import partition_for
from shared.contracts.topics import RETURNS
from shared.postgres.connecting import Connection

RETURN = TypeAdapter(Return)
POSTED = TypeAdapter(dict[str, int])

ENSURE = """
insert into orders.returns (return_id, partition)
select * from unnest($1::text[], $2::smallint[]) order by 1 on conflict do nothing
"""
LOCK = """
select return_id, folded, posted from orders.returns
where return_id = any($1::text[]) order by return_id for update
"""
SAVE = """
update orders.returns r set folded = i.folded::jsonb, posted = i.posted::jsonb
from unnest($1::text[], $2::text[], $3::text[]) as i(return_id, folded, posted)
where r.return_id = i.return_id
"""
POST = """
with sent as (
    insert into orders.movements (return_id, document_line, value)
    select return_id, document_line, value::jsonb
    from unnest($1::text[], $2::text[], $3::text[]) with ordinality
        as i(return_id, document_line, value, ordinal)
    order by ordinal
    returning movement_id, return_id)
insert into orders.unpublished (kind, partition, keys)
select 'movement', r.partition, array_agg(s.movement_id)
from sent s join orders.returns r using (return_id) group by r.partition
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnRow:
    """A return as held, locked; `posted` are the units that have become movements."""

    folded: Return | None
    posted: Mapping[str, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Posting:
    """A movement to send: its contract's JSON."""

    return_id: str
    document_line: str
    value: bytes


async def lock(connection: Connection, return_ids: Collection[str]) -> dict[str, ReturnRow]:
    """The returns, locked by id; unknown ones are made."""
    names = list(return_ids)
    partitions = [partition_for(name.encode(), RETURNS.partitions) for name in names]
    await connection.execute(ENSURE, names, partitions)
    return {
        row["return_id"]: ReturnRow(
            folded=None if row["folded"] is None else RETURN.validate_json(row["folded"]),
            posted=POSTED.validate_json(row["posted"]),
        )
        for row in await connection.fetch(LOCK, names)
    }


async def save(connection: Connection, rows: Mapping[str, ReturnRow]) -> None:
    """Write folded returns whose rows are locked."""
    folded = [RETURN.dump_json(row.folded).decode() for row in rows.values() if row.folded]
    assert len(folded) == len(rows), "a return that is saved has been folded"
    posted = [POSTED.dump_json(dict(row.posted)).decode() for row in rows.values()]
    await connection.execute(SAVE, list(rows), folded, posted)


async def post(connection: Connection, postings: Sequence[Posting]) -> None:
    """Keep movements and mark them to be sent."""
    if postings:
        await connection.execute(
            POST, [p.return_id for p in postings], [p.document_line for p in postings],
            [p.value.decode() for p in postings],
        )  # fmt: skip
