"""The ledger's migrated database for random histories."""

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.ledger.bench import migrate_ledger


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("ledger", migrate_ledger)
