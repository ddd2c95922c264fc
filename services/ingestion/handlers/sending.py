"""The way to Kafka: a producer that is opened whenever a broker is there, and a bounded wait."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.kafka.producing import Outgoing
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
STOP_SECONDS = 1.0


class KafkaAway(Exception):  # noqa: N818  (it names what happened, like Fenced)
    """Kafka has not acknowledged in time. What was sent may still arrive: ids make it one fact."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """Where an acknowledged message is."""

    topic: str
    partition: int
    offset: int


class Sending(Protocol):
    """The port to Kafka."""

    async def send(self, messages: Sequence[Outgoing]) -> list[Receipt]: ...


class KafkaSending:
    """One producer for the life of the process; without a broker the process lives on."""

    def __init__(
        self,
        opened: Callable[[], Awaitable[AIOKafkaProducer]],
        closing: asyncio.Event,
        *,
        send_seconds: float,
    ) -> None:
        self._opened = opened
        self._closing = closing
        self._send_seconds = send_seconds
        self._producer: AIOKafkaProducer | None = None

    @property
    def producer(self) -> AIOKafkaProducer | None:
        """The producer, once a broker has answered."""
        return self._producer

    async def open(self) -> AIOKafkaProducer | None:
        """Try until a broker answers; None when told to close before."""
        while not self._closing.is_set():
            try:
                self._producer = await self._opened()
                return self._producer
            except (KafkaError, OSError) as error:
                log.warning(
                    "no broker answers, trying again",
                    extra={"action": "kafka_retry", "reason": repr(error)},
                )
                await wait_for_event(self._closing, RETRY_SECONDS)
        return None

    async def close(self) -> None:
        """Stop the producer; what it holds is in Postgres too, or was never acknowledged, so that
        a broker that is away keeps nobody waiting.
        """
        if self._producer is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(STOP_SECONDS):
                    await self._producer.stop()

    async def send(self, messages: Sequence[Outgoing]) -> list[Receipt]:
        """Send all, in order per partition, and wait for acks=all. Raises KafkaAway."""
        if self._producer is None:
            raise KafkaAway("no broker has answered yet")
        try:
            async with asyncio.timeout(self._send_seconds):
                return await _send(self._producer, messages)
        except (KafkaError, TimeoutError) as error:
            raise KafkaAway(repr(error)) from error


async def _send(producer: AIOKafkaProducer, messages: Sequence[Outgoing]) -> list[Receipt]:
    futures = [
        await producer.send(
            one.topic, one.value, key=one.key, partition=one.partition, headers=list(one.headers)
        )
        for one in messages
    ]
    found = await asyncio.gather(*futures)
    return [Receipt(topic=f.topic, partition=f.partition, offset=f.offset) for f in found]
