"""A migrated ledger for each test, with SKUs S1–S3 and locations L1–L3 known."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.ledger.bench import LedgerBench, migrate_ledger, open_bench


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("ledger", migrate_ledger)


@pytest.fixture
def known_skus() -> list[str]:
    return ["S1", "S2", "S3"]


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(database: str, known_skus: list[str]) -> AsyncIterator[LedgerBench]:
    async with open_bench(database) as bench:
        await bench.know(skus=known_skus, locations=["L1", "L2", "L3"])
        yield bench
