"""The orders' migrated database for random histories."""

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.orders.bench import migrate_orders


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("orders", migrate_orders)
