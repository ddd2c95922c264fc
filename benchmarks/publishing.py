"""The backlog's publisher: a process of its own that builds all batches, then sends at once."""

import asyncio
import multiprocessing
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from multiprocessing.connection import Connection
from typing import Any

from benchmarks.workload import Event, Expected, Shape, encode, events, expect
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.producing import open_producer

Builders = dict[int, list[Any]]  # aiokafka ships no types
BUILD_SECONDS_MAX = 600.0
SEND_SECONDS_MAX = 300.0


class PublishingError(Exception):
    """The publisher ended, or did not answer in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What the publisher says at its end; `seconds` from first send to last acknowledgement."""

    seconds: float
    bytes: int


class Publisher:
    """Both ends of the child: `build` waits for the batches, `send` for the acknowledgements."""

    def __init__(self, kafka: str, shape: Shape, base: datetime) -> None:
        spawning = multiprocessing.get_context("spawn")
        self._ours, theirs = spawning.Pipe()
        self._child = spawning.Process(
            target=_publish, args=(theirs, kafka, shape, base), daemon=True
        )
        self._child.start()
        theirs.close()

    def build(self) -> Expected:
        """Returns what the books must say in the end, once every batch lies ready."""
        expected = self._receive(BUILD_SECONDS_MAX)
        assert isinstance(expected, Expected), expected
        return expected

    def send(self) -> Sent:
        """Send everything with acks=all and wait for it."""
        self._ours.send("go")
        sent = self._receive(SEND_SECONDS_MAX)
        assert isinstance(sent, Sent), sent
        self._child.join(10)
        return sent

    def close(self) -> None:
        """End the child, whatever it does."""
        self._child.kill()
        self._child.join(10)

    def _receive(self, seconds: float) -> object:
        try:
            if self._ours.poll(seconds):
                found: object = self._ours.recv()
                return found
        except EOFError as error:
            raise PublishingError("the publisher of the backlog ended early") from error
        raise PublishingError(f"the publisher of the backlog said nothing for {seconds:.0f} s")


def _publish(pipe: "Connection[Any, Any]", kafka: str, shape: Shape, base: datetime) -> None:
    asyncio.run(_build_and_send(pipe, kafka, shape, base))


async def _build_and_send(
    pipe: "Connection[Any, Any]", kafka: str, shape: Shape, base: datetime
) -> None:
    producer = await open_producer(kafka)
    try:
        stream = list(events(shape, base))
        expected = expect(stream, base)
        builders = _build(producer, stream)
        del stream
        pipe.send(expected)
        await asyncio.to_thread(pipe.recv)
        begun = time.perf_counter()
        await asyncio.gather(
            *(_send(producer, partition, batches) for partition, batches in builders.items())
        )
        size = sum(batch.size() for batches in builders.values() for batch in batches)
        pipe.send(Sent(seconds=time.perf_counter() - begun, bytes=size))
    finally:
        await producer.stop()


def _build(producer: Any, stream: Sequence[Event]) -> Builders:
    builders: Builders = {}
    for event in stream:
        partition, key, value, headers = encode(event)
        batches = builders.setdefault(partition, [producer.create_batch()])
        taken = batches[-1].append(timestamp=None, key=key, value=value, headers=list(headers))
        if taken is None:
            batches[-1].close()
            batches.append(producer.create_batch())
            taken = batches[-1].append(timestamp=None, key=key, value=value, headers=list(headers))
            assert taken is not None, "one event fits an empty batch"
    for batches in builders.values():
        batches[-1].close()
    return builders


async def _send(producer: Any, partition: int, batches: list[Any]) -> None:
    waiting = [
        await producer.send_batch(batch, STOCK_MOVEMENTS.name, partition=partition)
        for batch in batches
    ]
    await asyncio.gather(*waiting)
