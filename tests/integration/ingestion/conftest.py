"""A migrated database for each test, and the topics for those that run the whole service."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.topics import TOPICS
from shared.runtime.infrastructure import Addresses
from shared.testing.servers import Databases
from shared.testing.waiting import until
from tests.integration.ingestion.bench import Bench, migrate_ingestion, open_bench


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    """Ingestion's schema, once."""
    return await databases.template("ingestion", migrate_ingestion)


@pytest_asyncio.fixture(loop_scope="session")
async def bench(
    database: str, stack: Addresses, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Bench]:
    """A database of its own, and whatever the topics hold."""
    async with open_bench(database, stack.kafka, monkeypatch) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def topics(stack: Addresses) -> None:
    """The catalogue's topics exist, with whatever others left in them: a test has shops of its own.
    (Deleting and making them anew costs seconds each time, until the broker leads them again.)
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    try:
        there = set(await admin.list_topics())
        missing = [
            NewTopic(topic.name, topic.partitions, 1, topic_configs=dict(topic.configuration()))
            for topic in TOPICS
            if topic.name not in there
        ]
        if missing:
            await admin.create_topics(missing)

        async def are_led() -> bool:
            described = await admin.describe_topics([topic.name for topic in TOPICS])
            return all(
                one["error_code"] == 0
                and one["partitions"]
                and all(part["error_code"] == 0 for part in one["partitions"])
                for one in described
            )

        await until(are_led)
    finally:
        await admin.close()
