"""Whoever reads the stream is heard for; while nobody does, nobody reads the topic."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaProducer

from services.availability.handlers import listening as module
from services.availability.handlers.listening import Listening
from services.availability.handlers.streaming import ALIVE, RESET, Stream
from shared.contracts.topics import AVAILABILITY
from shared.kafka.producing import open_producer
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure import Addresses
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until

DEADLINE_SECONDS = 30


@asynccontextmanager
async def open_listening(servers: str) -> AsyncIterator[tuple[Stream, AIOKafkaProducer]]:
    """A stream with its listener at work, and a producer."""
    await fresh_topics(servers)
    stream, closing = Stream(keys_max=10, epoch="e"), asyncio.Event()
    running = asyncio.create_task(
        Listening(servers, AVAILABILITY, stream, SystemClock(), closing).run()
    )
    producer = await open_producer(servers)
    try:
        yield stream, producer
    finally:
        closing.set()
        await producer.stop()
        await running


async def tell(producer: AIOKafkaProducer, value: bytes) -> None:
    await producer.send_and_wait(AVAILABILITY.name, value, key=b"web|S1", partition=0)


async def test_what_is_told_after_the_first_sign_of_life_is_heard(stack: Addresses) -> None:
    async with asyncio.timeout(DEADLINE_SECONDS), open_listening(stack.kafka) as both:
        stream, producer = both
        await tell(producer, b"before")
        assert not stream.live.is_set(), "nobody reads the topic for nobody"

        client = stream.events(channel=None, last_event_id=None, closing=asyncio.Event())
        assert await anext(client) == ALIVE
        await tell(producer, b"after")

        assert await anext(client) == b"id: e-1\nevent: availability\ndata: after\n\n"


async def test_nobody_reads_the_topic_once_everybody_has_left_for_a_while(
    stack: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_SECONDS", 0.3)
    async with asyncio.timeout(DEADLINE_SECONDS), open_listening(stack.kafka) as both:
        stream, producer = both
        client = stream.events(channel=None, last_event_id=None, closing=asyncio.Event())
        assert await anext(client) == ALIVE
        await tell(producer, b"1")
        assert await anext(client) == b"id: e-1\nevent: availability\ndata: 1\n\n"
        await client.aclose()  # type: ignore[attr-defined]  # an async generator in its signature

        async def is_silent() -> bool:
            return not stream.live.is_set()

        await until(is_silent)
        await tell(producer, b"nobody hears this")

        late = stream.events(channel=None, last_event_id="e-1", closing=asyncio.Event())
        assert await anext(late) == ALIVE
        assert await anext(late) == RESET, "what was told meanwhile must be read again"
