"""A migrated database for each test, with the channel web (pool L1, L2), S1 and S2 known."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.orders.bench import S1, S2, WEB, OrdersBench, migrate_orders, open_bench


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("orders", migrate_orders)


@pytest_asyncio.fixture(loop_scope="session")
async def bare(database: str) -> AsyncIterator[OrdersBench]:
    """Without any reference data."""
    async with open_bench(database) as bench:
        yield bench


@pytest_asyncio.fixture(loop_scope="session")
async def orders(bare: OrdersBench) -> OrdersBench:
    await bare.refer(WEB, S1, S2)
    return bare
