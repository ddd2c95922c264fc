"""A migrated database for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.catalog.bench import CatalogBench, migrate_catalog, open_bench


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("catalog", migrate_catalog)


@pytest_asyncio.fixture(loop_scope="session")
async def catalog(database: str) -> AsyncIterator[CatalogBench]:
    """Without any record."""
    async with open_bench(database) as bench:
        yield bench
