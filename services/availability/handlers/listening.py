"""Kafka read without a group: where topics end, and the stream of figures from now on."""

import asyncio
import logging
from collections.abc import Mapping, Sequence

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from services.availability.handlers.streaming import Stream
from shared.contracts.topics import Topic
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
IDLE_SECONDS = 1.0
LINGER_SECONDS = 60.0


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
    """Every message of one topic, all partitions, for as long as the stream has clients.

    Reading a busy topic for nobody costs broker and process as much as reading it for somebody.
    """

    def __init__(
        self, servers: str, topic: Topic, stream: Stream, clock: Clock, closing: asyncio.Event
    ) -> None:
        self._servers = servers
        self._topic = topic
        self._stream = stream
        self._clock = clock
        self._closing = closing
        self._wanted_at = 0.0

    async def run(self) -> None:
        """Listen while somebody wants it, until told to close. What is told in between, or while a
        connection is broken, is not heard, and the stream is told so.
        """
        while not self._closing.is_set():
            if not await wait_for_event(self._stream.wanted, IDLE_SECONDS):
                continue
            try:
                await self._listen()
            except KafkaError as error:
                log.warning(
                    "the stream was interrupted",
                    extra={"action": "stream_interrupted", "reason": repr(error)},
                )
                await wait_for_event(self._closing, RETRY_SECONDS)
            finally:
                self._stream.live.clear()
                self._stream.lost()

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
            self._stream.live.set()
            self._wanted_at = self._clock.monotonic()
            while not self._closing.is_set() and self._is_wanted():
                fetched = await consumer.getmany(timeout_ms=200, max_records=2_000)
                for messages in fetched.values():
                    for message in messages:
                        self._stream.heard(message)
        finally:
            self._stream.live.clear()  # before anything is awaited: who comes now must wait
            await consumer.stop()

    def _is_wanted(self) -> bool:
        """Clients that were cut off come back within seconds, and get what they missed."""
        now = self._clock.monotonic()
        if self._stream.has_clients:
            self._wanted_at = now
        elif now - self._wanted_at > LINGER_SECONDS:
            self._stream.wanted.clear()
            return False
        return True
