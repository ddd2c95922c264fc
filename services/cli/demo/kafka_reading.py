"""The checker's own reading of Kafka: ends of logs, and the facts in the log of movements."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.topics import TOPICS

MOVEMENTS = "stock-movements-v1"
POLL_MS = 1_000
EMPTY_POLLS_MAX = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How many messages a log holds, and how many of them tell a fact that stood there before."""

    messages: int
    told_again: int


async def end_offsets(servers: str, topics: Iterable[str]) -> dict[tuple[str, int], int]:
    """(topic, partition) → the offset after its last message."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers)
    await consumer.start()
    try:
        ends = await consumer.end_offsets(partitions_of(topics))
        return {(one.topic, one.partition): end for one, end in ends.items()}
    finally:
        await consumer.stop()


async def count_facts(servers: str, topic: str) -> Facts:
    """Read a log from its beginning to its present end."""
    seen: set[tuple[object, ...]] = set()
    messages = 0
    async for message in read_log(servers, topic):
        messages += 1
        seen.add(_identity(dict(message.headers), message.value))
    return Facts(messages=messages, told_again=messages - len(seen))


async def read_log(servers: str, topic: str) -> AsyncIterator[Any]:
    """Every message from the beginning to the end as it is now, partition by partition in order."""
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        partitions = partitions_of([topic])
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        ends = await consumer.end_offsets(partitions)
        empty = 0
        while empty < EMPTY_POLLS_MAX:
            if all([await consumer.position(one) >= end for one, end in ends.items()]):
                return
            found = await consumer.getmany(timeout_ms=POLL_MS, max_records=5_000)
            empty = 0 if found else empty + 1
            for one, batch in found.items():
                for message in batch:
                    if message.offset < ends[one]:
                        yield message
    finally:
        await consumer.stop()


def partitions_of(topics: Iterable[str]) -> list[TopicPartition]:
    """Every partition of these topics of the catalogue, in order."""
    counts = {topic.name: topic.partitions for topic in TOPICS}
    return [TopicPartition(name, n) for name in sorted(topics) for n in range(counts[name])]


def _identity(headers: dict[str, bytes], value: bytes) -> tuple[object, ...]:
    """What makes two messages one fact: source and document where there is one, else the message's
    own id; and the moment, cut to the second.
    """
    source = headers.get("ce_source", b"")
    try:
        told = json.loads(value)
        second = int(datetime.fromisoformat(told["occurred_at"]).timestamp())
        paper = told.get("document")
    except (ValueError, KeyError, TypeError):
        return source, headers.get("ce_id"), value
    if paper is None:
        return source, headers.get("ce_id"), second
    return source, paper["kind"], paper["number"], paper.get("line"), second
