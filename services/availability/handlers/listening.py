"""Kafka read without a group: where topics end, and the stream of figures from now on."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from shared.contracts.topics import Topic
from shared.kafka.batches import Message
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0


class TopicEnds:
    """Where the partitions of some topics end; connects when first asked."""

    def __init__(self, servers: str, topics: Sequence[Topic]) -> None:
        self._servers = servers
        self._places = [
            TopicPartition(topic.name, number)
            for topic in topics
            for number in range(topic.partitions)
        ]
        self._consumer: AIOKafkaConsumer | None = None

    async def __call__(self) -> Mapping[tuple[str, int], int]:
        """The end of each partition: the offset that the next message gets. Raises KafkaError."""
        if self._consumer is None:
            consumer = AIOKafkaConsumer(bootstrap_servers=self._servers, request_timeout_ms=5_000)
            await consumer.start()
            self._consumer = consumer
        ends: Mapping[TopicPartition, int] = await self._consumer.end_offsets(self._places)
        return {(tp.topic, tp.partition): end for tp, end in ends.items()}

    async def close(self) -> None:
        """Disconnect."""
        if self._consumer is not None:
            await self._consumer.stop()


class Listening:
    """Every message of one topic from now on, all partitions, in every process that listens."""

    def __init__(
        self,
        servers: str,
        topic: Topic,
        heard: Callable[[Message], None],
        lost: Callable[[], None],
        closing: asyncio.Event,
    ) -> None:
        self._servers = servers
        self._topic = topic
        self._heard = heard
        self._lost = lost
        self._closing = closing
        self.is_listening = False

    async def run(self) -> None:
        """Listen until told to close. After a broken connection `lost` says so: what was told
        meanwhile was not heard.
        """
        while not self._closing.is_set():
            try:
                await self._listen()
            except KafkaError as error:
                log.warning(
                    "the stream was interrupted",
                    extra={"action": "stream_interrupted", "reason": repr(error)},
                )
            self.is_listening = False
            self._lost()
            await wait_for_event(self._closing, RETRY_SECONDS)

    async def _listen(self) -> None:
        consumer = AIOKafkaConsumer(
            bootstrap_servers=self._servers, enable_auto_commit=False, fetch_max_wait_ms=500
        )
        await consumer.start()
        try:
            places = [
                TopicPartition(self._topic.name, number) for number in range(self._topic.partitions)
            ]
            consumer.assign(places)
            await consumer.seek_to_end(*places)
            self.is_listening = True
            while not self._closing.is_set():
                fetched = await consumer.getmany(timeout_ms=200, max_records=2_000)
                for messages in fetched.values():
                    for message in messages:
                        self._heard(message)
        finally:
            await consumer.stop()
