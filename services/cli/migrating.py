"""Migrations of every service, in the order of the registry."""

from collections.abc import Iterable
from pathlib import Path

from services.cli.registry import SERVICES
from services.cli.repository import drop_schemas
from shared.postgres.connecting import connect
from shared.postgres.migrations import migrate

ROOT = Path(__file__).parents[2]


def schemas() -> list[str]:
    """The services that own a schema, each once."""
    return list(dict.fromkeys(one.schema for one in SERVICES if one.schema is not None))


async def migrate_all(dsn: str, wanted: Iterable[str] | None = None) -> dict[str, list[str]]:
    """Apply what is missing, of all schemas or the wanted ones; returns the names applied now, by
    schema. Raises MigrationError.
    """
    connection = await connect(dsn, application="stocktide-migrate")
    try:
        return {
            schema: await migrate(connection, schema, ROOT / "services" / schema / "migrations")
            for schema in (schemas() if wanted is None else dict.fromkeys(wanted))
        }
    finally:
        await connection.close(timeout=5)


async def drop_all(dsn: str) -> None:
    """Drop the services' schemas and the journal of migrations, and nothing else."""
    connection = await connect(dsn, application="stocktide-reset", statement_timeout="60s")
    try:
        await drop_schemas(connection, schemas())
    finally:
        await connection.close(timeout=5)
