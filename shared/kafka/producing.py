"""Producing: one idempotent producer a process, acks=all, whole batches to a named partition."""

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

Headers = Sequence[tuple[str, bytes]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message; its sender names the partition, since not always the key decides."""

    topic: str
    partition: int
    key: bytes
    value: bytes
    headers: Headers


async def open_producer(servers: str, *, linger_ms: int = 0) -> AIOKafkaProducer:
    """A started producer. Raises KafkaError when no broker answers."""
    producer = AIOKafkaProducer(
        bootstrap_servers=servers,
        acks="all",
        enable_idempotence=True,
        linger_ms=linger_ms,
        max_batch_size=256 * 1024,
        request_timeout_ms=10_000,
        max_request_size=4 * 1024 * 1024,
    )
    try:
        await producer.start()
    except BaseException:
        await producer.stop()
        raise
    return producer


async def send_all(producer: AIOKafkaProducer, messages: Iterable[Outgoing]) -> None:
    """Send every message and wait until all are acknowledged.

    Whole batches per partition: a batch costs one future, a single send costs one each. Raises
    KafkaError when any of them is refused; then none may be taken as sent.
    """
    by_partition: dict[tuple[str, int], list[Outgoing]] = defaultdict(list)
    for message in messages:
        by_partition[message.topic, message.partition].append(message)
    futures: list[asyncio.Future[object]] = []
    for (topic, partition), waiting in by_partition.items():
        builder = producer.create_batch()
        for message in waiting:
            added = _append(builder, message)
            if added is None and builder.record_count() > 0:
                builder.close()
                futures.append(await producer.send_batch(builder, topic, partition=partition))
                builder = producer.create_batch()
                added = _append(builder, message)
            if added is None:  # larger than a whole batch: the producer's own path splits nothing
                futures.append(
                    await producer.send(
                        topic, message.value, key=message.key, partition=partition,
                        headers=list(message.headers),
                    )
                )  # fmt: skip
        if builder.record_count() > 0:
            builder.close()
            futures.append(await producer.send_batch(builder, topic, partition=partition))
    if futures:
        await asyncio.gather(*futures)


def _append(builder: object, message: Outgoing) -> object | None:
    append = builder.append  # type: ignore[attr-defined]  # aiokafka ships no types
    metadata: object | None = append(
        timestamp=None, key=message.key, value=message.value, headers=list(message.headers)
    )
    return metadata
