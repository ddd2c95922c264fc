"""What HTTP reads of the view in Postgres; short statements, never an open transaction."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.availability.domain.facts import Facts
from services.availability.domain.levels import Level
from services.availability.repository import packing
from services.availability.repository.publishing import ViewEntry
from shared.postgres.connecting import Connection, Pool

READ = "select sku, version, view from availability.stock where sku = any($1::text[])"
PAGE = """
select sku, version, view from availability.stock where sku > $1 order by sku limit $2
"""
HAS_CHANNEL = "select exists (select from availability.channels where channel = $1)"
INPUTS = """
select version, unsourced, levels, facts from availability.stock where sku = $1
"""
FACTS_AT = """
select facts from availability.facts_history where sku = $1 and recorded_at <= $2
order by recorded_at desc limit 1
"""


class Inputs(NamedTuple):
    """What one SKU's view is made from."""

    version: int
    unsourced: int
    levels: dict[str, Level]
    facts: Facts


async def views(pool: Pool, skus: Sequence[str]) -> dict[str, ViewEntry]:
    """The views of these SKUs that there are."""
    async with pool.acquire(timeout=5) as connection:
        return {row[0]: ViewEntry(*row) for row in await connection.fetch(READ, list(skus))}


async def page(pool: Pool, after: str, limit: int) -> list[ViewEntry]:
    """The next SKUs in their order."""
    async with pool.acquire(timeout=5) as connection:
        return [ViewEntry(*row) for row in await connection.fetch(PAGE, after, limit)]


async def has_channel(pool: Pool, channel: str) -> bool:
    """Whether reference data ever named this channel."""
    async with pool.acquire(timeout=5) as connection:
        return bool(await connection.fetchval(HAS_CHANNEL, channel))


async def inputs(connection: Connection, sku: str) -> Inputs | None:
    """What the SKU's view is made from; None for a SKU that nobody told us of."""
    row = await connection.fetchrow(INPUTS, sku)
    if row is None:
        return None
    version, unsourced, levels, facts = row
    return Inputs(version, unsourced, packing.unpack_levels(levels), packing.unpack_facts(facts))


async def facts_at(connection: Connection, sku: str, moment: datetime) -> Facts:
    """What had been told of the SKU by a moment; nothing of an unknown one."""
    found: bytes | None = await connection.fetchval(FACTS_AT, sku, moment)
    return packing.unpack_facts(found or b"{}")
