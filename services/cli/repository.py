"""SQL of the command itself: how far services have read, and the removal of their schemas."""

from collections.abc import Iterable

from shared.postgres.connecting import Connection

HAS_POSITIONS = "select to_regclass($1 || '.positions') is not null"
POSITIONS = "select topic, partition, next_offset from {schema}.positions"
DROP_SCHEMA = 'drop schema if exists "{schema}" cascade'
DROP_JOURNAL = "drop table if exists public.stocktide_migrations"


async def positions(connection: Connection, schema: str) -> dict[tuple[str, int], int]:
    """(topic, partition) → the next offset a service reads; empty before it has ever run."""
    if not await connection.fetchval(HAS_POSITIONS, schema):
        return {}
    rows = await connection.fetch(POSITIONS.format(schema=schema))
    return {(row["topic"], row["partition"]): row["next_offset"] for row in rows}


async def drop_schemas(connection: Connection, schemas: Iterable[str]) -> None:
    """Drop these schemas and the journal of migrations, and nothing else."""
    for schema in schemas:
        await connection.execute(DROP_SCHEMA.format(schema=schema))
    await connection.execute(DROP_JOURNAL)
