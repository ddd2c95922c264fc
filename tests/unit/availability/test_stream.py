"""The stream: the latest per key for slow clients, and `reset` where something was missed."""

import asyncio
from collections.abc import AsyncGenerator

from services.availability.handlers.streaming import ALIVE, RESET, Stream
from shared.testing.messages import FakeMessage


def told(stream: Stream, sku: str, value: str, channel: str = "web") -> None:
    stream.heard(FakeMessage(key=f"{channel}|{sku}".encode(), value=value.encode()))


async def opened(
    stream: Stream, *, channel: str | None = None, last_event_id: str | None = None
) -> AsyncGenerator[bytes, None]:
    stream.live.set()
    events = stream.events(channel=channel, last_event_id=last_event_id, closing=asyncio.Event())
    assert isinstance(events, AsyncGenerator)
    assert await anext(events) == ALIVE
    return events


async def test_a_slow_client_gets_the_latest_per_key_in_the_order_told_last() -> None:
    stream = Stream(keys_max=10, epoch="e")
    client = await opened(stream)

    for sku, value in (("S1", "1"), ("S2", "2"), ("S1", "3")):
        told(stream, sku, value)

    assert await anext(client) == (
        b"id: e-2\nevent: availability\ndata: 2\n\nid: e-3\nevent: availability\ndata: 3\n\n"
    )
    await client.aclose()


async def test_a_client_hears_only_the_channel_it_asked_for() -> None:
    stream = Stream(keys_max=10, epoch="e")
    client = await opened(stream, channel="web")

    told(stream, "S1", "1", channel="website")
    told(stream, "S1", "2", channel="web")

    assert await anext(client) == b"id: e-2\nevent: availability\ndata: 2\n\n"
    await client.aclose()


async def test_a_client_that_lags_too_far_is_told_to_read_again() -> None:
    stream = Stream(keys_max=2, epoch="e")
    client = await opened(stream)

    for n in range(3):
        told(stream, f"S{n}", str(n))
    told(stream, "S9", "9")

    assert await anext(client) == RESET + b"id: e-4\nevent: availability\ndata: 9\n\n"
    await client.aclose()


async def test_a_client_that_comes_back_gets_what_it_missed() -> None:
    stream = Stream(keys_max=10, epoch="e")
    for n in (1, 2, 3):
        told(stream, f"S{n}", str(n))

    client = await opened(stream, last_event_id="e-2")

    assert await anext(client) == b"id: e-3\nevent: availability\ndata: 3\n\n"
    await client.aclose()


async def test_an_id_that_nobody_remembers_is_told_to_read_again() -> None:
    stream = Stream(keys_max=10, epoch="e")
    told(stream, "S1", "1")

    for unknown in ("other-1", "e-99", "e-", "e-x", "", "e-" + "9" * 5000):
        client = await opened(stream, last_event_id=unknown)

        assert await anext(client) == RESET, unknown
        await client.aclose()


async def test_after_a_broken_connection_everybody_reads_again() -> None:
    stream = Stream(keys_max=10, epoch="e")
    client = await opened(stream)
    told(stream, "S1", "1")

    stream.lost()

    assert await anext(client) == RESET
    late = await opened(stream, last_event_id="e-0")
    assert await anext(late) == RESET
    await client.aclose()
    await late.aclose()


async def test_the_stream_ends_when_the_process_closes() -> None:
    stream, closing = Stream(keys_max=10, epoch="e"), asyncio.Event()
    stream.live.set()
    client = stream.events(channel=None, last_event_id=None, closing=closing)
    assert await anext(client) == ALIVE

    closing.set()

    assert [event async for event in client] == []


async def test_a_client_hears_of_life_only_when_somebody_hears_the_topic() -> None:
    stream = Stream(keys_max=10, epoch="e")
    events = stream.events(channel=None, last_event_id=None, closing=asyncio.Event())
    assert isinstance(events, AsyncGenerator)
    first = asyncio.ensure_future(anext(events))
    await asyncio.wait([first], timeout=0.05)
    assert not first.done()
    assert stream.wanted.is_set()

    stream.live.set()

    assert await first == ALIVE
    await events.aclose()


async def test_who_had_heard_everything_before_a_gap_must_read_again() -> None:
    stream = Stream(keys_max=10, epoch="e")
    told(stream, "S1", "1")
    stream.lost()

    client = await opened(stream, last_event_id="e-1")

    assert await anext(client) == RESET
    await client.aclose()
