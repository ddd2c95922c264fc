"""The catalogue's topics, made anew on the session's broker for a test of whole services."""

from collections.abc import Sequence

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, UnknownTopicOrPartitionError

from shared.contracts.topics import TOPICS
from shared.testing.waiting import until


async def fresh_topics(servers: str) -> None:
    """Delete the catalogue's topics where they exist, and create them empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers)
    await admin.start()
    try:
        names = [topic.name for topic in TOPICS]
        existing = [name for name in await admin.list_topics() if name in names]
        if existing:
            await admin.delete_topics(existing)
            # Until then an old topic is taken for the new one, which it is about to take along.
            await until(lambda: _gone(admin, existing))
        await until(lambda: _created(admin, names))
    finally:
        await admin.close()


async def _gone(admin: AIOKafkaAdminClient, names: Sequence[str]) -> bool:
    return not set(names) & set(await admin.list_topics())


async def _created(admin: AIOKafkaAdminClient, names: Sequence[str]) -> bool:
    """Deletion is asynchronous: creating fails until the broker has forgotten the old topic."""
    there = set(await admin.list_topics())
    missing = [topic for topic in TOPICS if topic.name not in there]
    try:
        if missing:
            await admin.create_topics(
                [
                    NewTopic(
                        name=topic.name,
                        num_partitions=topic.partitions,
                        replication_factor=1,
                        topic_configs=dict(topic.configuration()),
                    )
                    for topic in missing
                ]
            )
        described = await admin.describe_topics(list(names))
    except (TopicAlreadyExistsError, UnknownTopicOrPartitionError):
        return False
    return all(entry["error_code"] == 0 and entry["partitions"] for entry in described)
