"""Which SKU goes into which kit, and the kits that a change of a part has made stale."""

from collections.abc import Mapping, Sequence

from services.availability.repository import packing
from services.availability.repository.reading import Inputs
from shared.postgres.connecting import Connection

FORGET = "delete from availability.kits where kit = any($1::text[])"
KEEP = """
insert into availability.kits (part, kit) select * from unnest($1::text[], $2::text[])
"""
MARK = """
update availability.stock set is_in_kits = true where sku_id = any($1::bigint[])
"""
NOTE_STALE = """
insert into availability.stale_kits (sku_id)
select distinct s.sku_id from availability.kits k join availability.stock s on s.sku = k.kit
where k.part = any($1::text[])
"""
TAKE_STALE = """
with taken as (
    delete from availability.stale_kits where row_id in (
        select row_id from availability.stale_kits order by row_id limit $1
        for update skip locked)
    returning sku_id)
select distinct sku_id from taken
"""
PARTS = """
select sku, version, unsourced, levels, facts from availability.stock where sku = any($1::text[])
"""


async def keep(connection: Connection, kits: Mapping[str, set[str]]) -> None:
    """Keep which parts go into these kits, whose rows the caller has locked."""
    pairs = sorted((part, kit) for kit, parts in kits.items() for part in parts)
    await connection.execute(FORGET, list(kits))
    await connection.execute(KEEP, [part for part, _ in pairs], [kit for _, kit in pairs])


async def mark(connection: Connection, ids: Sequence[int]) -> None:
    """Mark rows that the caller has locked as kits or parts of one."""
    await connection.execute(MARK, ids)


async def note_stale(connection: Connection, parts: Sequence[str]) -> None:
    """Have the kits computed again that these SKUs go into, once this transaction commits."""
    await connection.execute(NOTE_STALE, parts)


async def take_stale(connection: Connection, limit: int) -> list[int]:
    """Take the kits of up to `limit` changes; other workers take others."""
    return [row[0] for row in await connection.fetch(TAKE_STALE, limit)]


async def parts(connection: Connection, skus: Sequence[str]) -> dict[str, Inputs]:
    """What is committed of these SKUs now; those that nobody told us of are left out."""
    return {
        sku: Inputs(version, unsourced, packing.unpack_levels(levels), packing.unpack_facts(facts))
        for sku, version, unsourced, levels, facts in await connection.fetch(PARTS, skus)
    }
