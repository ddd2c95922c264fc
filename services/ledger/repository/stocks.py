"""SKUs as requests see them: their levels, what is owed of them, what is known of them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from services.ledger.domain.fences import Fence
from services.ledger.domain.offers import Stand
from services.ledger.repository.fences import read_fences
from services.ledger.repository.suspensions import IS_SUSPENDED
from shared.postgres.connecting import Connection

SKUS = """
select s.sku, s.sku_id, s.terms, (
    select coalesce(sum(o.unsourced), 0)::bigint from ledger.order_lines o
    where o.sku_id = s.sku_id and (o.short > 0 or o.unsourced > 0)) as unsourced
from ledger.skus s where s.sku = any($1::text[])
"""
LEVELS = f"""
select l.sku_id, lo.location, l.level_id, l.version, l.sellable, l.reserved, l.allocated,
       {IS_SUSPENDED} as is_suspended
from ledger.levels l join ledger.locations lo using (location_id)
where l.sku_id = any($1::integer[])
"""  # noqa: S608  (only another module's constant is put into the text)
LEVEL_IDS = """
select l.level_id from ledger.levels l join ledger.skus s using (sku_id)
where s.sku = any($1::text[])
"""


@dataclass(slots=True)
class Seen:
    """One SKU's numbers as read; `terms` is the version of what concerns it alone."""

    sku_id: int
    terms: int
    unsourced: int
    levels: dict[str, Stand] = field(default_factory=dict)
    fences: tuple[Fence, ...] = ()


async def read_stocks(connection: Connection, skus: Collection[str]) -> dict[str, Seen]:
    """The SKUs that exist, as they are now."""
    seen = {
        row["sku"]: Seen(row["sku_id"], row["terms"], row["unsourced"])
        for row in await connection.fetch(SKUS, list(skus))
    }
    by_id = {one.sku_id: one for one in seen.values()}
    for sku_id, location, *figures in await connection.fetch(LEVELS, list(by_id)):
        by_id[sku_id].levels[location] = Stand(*figures)
    await _read_fences(connection, by_id)
    return seen


async def _read_fences(connection: Connection, by_id: Mapping[int, Seen]) -> None:
    levels = {
        stand.level_id: one
        for one in by_id.values()
        for stand in one.levels.values()
        if stand.reserved
    }
    if levels:  # a fence is reserved
        for fence in await read_fences(connection, levels):
            levels[fence.level_id].fences += (fence,)


async def levels_of(connection: Connection, skus: Collection[str]) -> list[int]:
    """Every level of these SKUs."""
    return [row[0] for row in await connection.fetch(LEVEL_IDS, list(skus))]
