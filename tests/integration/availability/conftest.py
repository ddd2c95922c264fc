"""A migrated availability for each test, with a channel over the locations L1, L2 and L3."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.availability.bench import (
    WEB,
    AvailabilityBench,
    migrate_availability,
    open_bench,
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("availability", migrate_availability)


@pytest_asyncio.fixture(loop_scope="session")
async def availability(database: str, redis_url: str) -> AsyncIterator[AvailabilityBench]:
    async with open_bench(database, redis_url) as bench:
        await bench.refer(WEB)
        yield bench
