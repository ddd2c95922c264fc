"""The lines of kits' parts: made beside the kit's own line, and found with it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.repository.lines import COLUMNS, Candidate, candidate_of
from shared.postgres.connecting import Connection

ENSURE = """
insert into ledger.order_lines (order_id, line_id, partition, sku_id, part_of)
select o.order_id, i.line_id, o.partition, i.sku_id, o.order_line_id
from unnest($1::bigint[], $2::text[], $3::integer[]) as i(order_line_id, line_id, sku_id)
join ledger.order_lines o using (order_line_id)
order by o.order_id, i.line_id
on conflict do nothing
"""
FAMILIES = f"""
select {COLUMNS} from ledger.order_lines
where order_line_id = any($1::bigint[]) or part_of = any($1::bigint[])
order by order_line_id
"""  # noqa: S608  (only this package's own constant is put into the text)
NOTE_DUE = """
insert into ledger.due (at, order_line_id) select $2, unnest($1::bigint[]) on conflict do nothing
"""
MARK = """
update ledger.holds h set kit_sku_id = i.kit_sku_id, per_kit = i.per_kit
from unnest($1::text[], $2::smallint[], $3::integer[], $4::bigint[])
    as i(hold_id, part, kit_sku_id, per_kit)
where h.hold_id = i.hold_id and h.part = i.part
"""
# Levels of all these SKUs wherever the levels given are, in the order of a kit's candidates.
ENSURE_LEVELS = """
insert into ledger.levels (sku_id, location_id, costed_at)
select s.sku_id, l.location_id,
       (select max(c.costed_at) from ledger.levels c where c.sku_id = s.sku_id)
from unnest($1::integer[]) as s(sku_id)
cross join (select distinct location_id from ledger.levels where level_id = any($2::integer[])) l
order by 1, 2 on conflict do nothing
"""
LEVELS = """
select sku_id, level_id from ledger.levels
where sku_id = any($1::integer[])
  and location_id in (select location_id from ledger.levels where level_id = any($2::integer[]))
order by location_id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldPart:
    """A row of `holds` that holds units of a part, `per_kit` of them for each kit."""

    hold_id: str
    part: int
    kit_sku_id: int
    per_kit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPart:
    """A part that a kit's line may have no line of its own for yet."""

    kit_line_id: int
    line_id: str
    sku_id: int


async def ensure_parts(connection: Connection, parts: Sequence[NewPart]) -> None:
    """Make rows for parts that have none; the rows of their kits are there."""
    if parts:
        await connection.execute(
            ENSURE, [p.kit_line_id for p in parts], [p.line_id for p in parts],
            [p.sku_id for p in parts],
        )  # fmt: skip


async def find_families(connection: Connection, kit_lines: Collection[int]) -> list[Candidate]:
    """The lines of these kits, and those of their parts, unlocked."""
    return [candidate_of(row) for row in await connection.fetch(FAMILIES, list(kit_lines))]


async def note_due(connection: Connection, lines: Sequence[int], now: datetime) -> None:
    """Have these lines booked again after the commit."""
    if lines:
        await connection.execute(NOTE_DUE, lines, now)


async def mark_parts(connection: Connection, parts: Sequence[HeldPart]) -> None:
    """Say of rows that were just written which kit they hold parts for."""
    if parts:
        await connection.execute(
            MARK, [p.hold_id for p in parts], [p.part for p in parts],
            [p.kit_sku_id for p in parts], [p.per_kit for p in parts],
        )  # fmt: skip


async def levels_beside(
    connection: Connection, skus: Collection[int], levels: Collection[int]
) -> dict[int, tuple[int, ...]]:
    """The levels of each of these SKUs at the locations of the levels given, made where there are
    none; location by location in one order for all SKUs.
    """
    await connection.execute(ENSURE_LEVELS, list(skus), list(levels))
    found: dict[int, tuple[int, ...]] = {}
    for row in await connection.fetch(LEVELS, list(skus), list(levels)):
        found[row["sku_id"]] = (*found.get(row["sku_id"], ()), row["level_id"])
    return found
