"""The open-loop load of P2: events sent by the clock, whatever becomes of them."""

import asyncio
import gc
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from random import Random

from benchmarks.matching import Scheduled
from benchmarks.workload import Encoded, Event, encode
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.producing import open_producer

LEAD_SECONDS = 0.5
# What a Java producer of Kafka 4 and librdkafka do unasked; it is inside the figures.
LINGER_MS = 5
ENCODE_SECONDS = 0.0001


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """How many sales of one unit a second, for how long, over how many SKUs."""

    rate: int
    seconds: int
    skus: int
    seed: int = 1

    @property
    def events(self) -> int:
        return self.rate * self.seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """What was sent, in order, and how late at the worst the generator itself was."""

    events: list[Scheduled]
    lateness_ms_max: float
    lateness_ms_p99: float


def entry_of(sku: int) -> int:
    """The shop numbers its products from 1."""
    return sku + 1


async def send(kafka: str, load: Load) -> Sent:
    """Send the load from a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return await asyncio.get_running_loop().run_in_executor(pool, _send_all, kafka, load)


def _send_all(kafka: str, load: Load) -> Sent:
    return asyncio.run(_pace(kafka, load))


async def _pace(kafka: str, load: Load) -> Sent:
    """Each event has its moment from the start; a late one doesn't move those after it."""
    rng = Random(load.seed)
    producer = await open_producer(kafka, linger_ms=LINGER_MS)
    await producer.partitions_for(STOCK_MOVEMENTS.name)
    gc.disable()  # a pause of the instrument is not one of what it measures
    # Encoded beforehand, so that the instrument takes little of what it measures on.
    lead = LEAD_SECONDS + load.events * ENCODE_SECONDS
    begin, wall = time.monotonic() + lead, time.time() + lead
    events: list[Scheduled] = []
    encoded: list[Encoded] = []
    for number in range(load.events):
        sku, at = rng.randrange(load.skus), wall + number / load.rate
        encoded.append(encode(_sale(rng, sku, at)))
        events.append(Scheduled(entry_of(sku), round(at * 1_000_000)))
    late: list[float] = []
    futures: list[asyncio.Future[object]] = []
    try:
        for number, (partition, key, value, headers) in enumerate(encoded):
            offset = number / load.rate
            if (wait := begin + offset - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            futures.append(
                await producer.send(
                    STOCK_MOVEMENTS.name, value, key=key, partition=partition,
                    headers=list(headers),
                )
            )  # fmt: skip
            late.append(time.monotonic() - begin - offset)
        await asyncio.gather(*futures)
    finally:
        await producer.stop()
    late.sort()
    return Sent(
        events=events, lateness_ms_max=late[-1] * 1000,
        lateness_ms_p99=late[int(len(late) * 0.99)] * 1000,
    )  # fmt: skip


def _sale(rng: Random, sku: int, at: float) -> Event:
    id_ = f"{rng.getrandbits(128):032x}"
    return Event(id_, sku, 0, "sale", 1, datetime.fromtimestamp(at, UTC))
