"""The real HTTP side over a fake Kafka and a fake inbox."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests.unit.ingestion.stage import Front, a_front


@pytest_asyncio.fixture(loop_scope="session")
async def front() -> AsyncIterator[Front]:
    """Without an API key."""
    async with a_front() as made:
        yield made
