"""Topics: makes what the catalogue names, and says what is there."""

from collections.abc import Iterable, Mapping

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from services.cli.exits import CommandError
from services.cli.texts import tr
from shared.contracts.topics import TOPICS, Topic

REQUEST_MS = 20_000


async def create_topics(servers: str, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Create the topics that are missing; returns their names.

    Raises CommandError when one is there with another number of partitions: keys would move.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_MS)
    await admin.start()
    try:
        present = await _partitions(admin)
        missing = [topic for topic in topics if topic.name not in present]
        for topic in topics:
            if present.get(topic.name, topic.partitions) != topic.partitions:
                raise CommandError(
                    tr(
                        "Topic {name} has {value} partitions, not {partitions}.",
                        name=topic.name,
                        value=present[topic.name],
                        partitions=topic.partitions,
                    ),
                    tr(
                        "The number never changes for a version of a topic: use another Kafka, "
                        "or delete the topic if its content may go (`stocktide reset`)."
                    ),
                )
        await _create(admin, missing)
        return [topic.name for topic in missing]
    finally:
        await admin.close()


async def present_topics(servers: str) -> Mapping[str, int]:
    """Every topic of the broker and how many partitions it has."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_MS)
    await admin.start()
    try:
        return await _partitions(admin)
    finally:
        await admin.close()


async def delete_topics(servers: str, topics: Iterable[Topic] = TOPICS) -> list[str]:
    """Delete the catalogue's topics with all they hold; returns the names of those that were."""
    admin = AIOKafkaAdminClient(bootstrap_servers=servers, request_timeout_ms=REQUEST_MS)
    await admin.start()
    try:
        present = await _partitions(admin)
        doomed = [topic.name for topic in topics if topic.name in present]
        if doomed:
            await admin.delete_topics(doomed, timeout_ms=REQUEST_MS)
        return doomed
    finally:
        await admin.close()


async def _partitions(admin: AIOKafkaAdminClient) -> dict[str, int]:
    names = [name for name in await admin.list_topics() if not name.startswith("__")]
    if not names:
        return {}
    described = await admin.describe_topics(names)
    return {one["topic"]: len(one["partitions"]) for one in described if not one["error_code"]}


async def _create(admin: AIOKafkaAdminClient, missing: list[Topic]) -> None:
    if not missing:
        return
    answer = await admin.create_topics(
        [
            NewTopic(
                name=topic.name, num_partitions=topic.partitions, replication_factor=1,
                topic_configs=dict(topic.configuration()),
            )
            for topic in missing
        ],
        timeout_ms=REQUEST_MS,
    )  # fmt: skip
    for name, code, *details in answer.topic_errors:
        error = for_code(code)
        if code and error is not TopicAlreadyExistsError:
            raise CommandError(
                tr(
                    "Kafka refused to create {name}: {name_} {details}.",
                    name=name,
                    name_=error.__name__,
                    details=details,
                ),
                tr("Look whether the broker has room and lets this client create topics."),
            )
