"""Fixtures of the connectors' suite."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.servers import Databases
from tests.conformance.publication.stage import Stage, a_stage, migrate_publication


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    """Publication's schema, once."""
    return await databases.template("publication", migrate_publication)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(database: str) -> AsyncIterator[Stage]:
    """A shop, a database, no worker yet."""
    async with a_stage(database) as made:
        yield made
