"""The view rebuilt and wiped while a thousand changes a second arrive and every read is checked."""

import asyncio
import json
import os
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaProducer
from redis.asyncio import Redis

from shared.cache.versioned import HEADER
from shared.contracts.cloudevents import headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import REFERENCE_DATA, STOCK_LEVELS, Topic
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.infrastructure import Addresses
from shared.runtime.infrastructure.ports import free_ports
from shared.testing.messages import NOON
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.reading import Reader
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.availability.bench import WEB, a_level
from tests.integration.availability.ledger_stub import a_ledger_that_answers

# Longer and larger by environment: STOCKTIDE_REBUILD_SKUS=16700 is 50,000 SKU × location.
SKUS = int(os.environ.get("STOCKTIDE_REBUILD_SKUS", "2000"))
ROUNDS = int(os.environ.get("STOCKTIDE_REBUILD_ROUNDS", "3"))
HOT = 40
LOCATIONS = ("L1", "L2", "L3")
OPENING_UNITS = 5_000
EVENTS_A_TICK, TICK_SECONDS = 20, 0.02
READERS = 3
ANSWERS_MIN = 20
DEADLINE_SECONDS = 60.0
SLICE = 5_000


@dataclass(slots=True, kw_only=True)
class Selling:
    """A running availability whose every unit is only ever sold: figures may only fall."""

    producer: AIOKafkaProducer
    http: httpx.AsyncClient
    database: "asyncpg.Connection[asyncpg.Record]"
    redis: "Redis"
    rng: random.Random
    skus: list[str]
    sold: Counter[tuple[str, str]] = field(default_factory=Counter)
    events: int = 0

    async def open(self) -> None:
        """The channel, and the piles."""
        await self._send([self._message(REFERENCE_DATA, "channel|web|", "channel|web|", WEB)])
        piles = [self._level(sku, place) for sku in self.skus for place in LOCATIONS]
        for start in range(0, len(piles), SLICE):
            await self._send(piles[start : start + SLICE])
        await self.has_all()
        await until(self._is_ready, seconds=DEADLINE_SECONDS)

    @asynccontextmanager
    async def a_thousand_a_second(self) -> AsyncIterator[None]:
        """Sales of single units, half of them of the hot SKUs, as long as the block runs."""
        async with asyncio.TaskGroup() as working:
            selling = working.create_task(self._sell())
            yield
            selling.cancel()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[list[Reader]]:
        """Readers of the hot SKUs, whose every answer must have been true."""
        closing = asyncio.Event()
        readers = [
            Reader(url=str(self.http.base_url), channel="web", skus=self.skus[:HOT],
                   rng=random.Random(self.rng.random()), falls=True)
            for _ in range(READERS)
        ]  # fmt: skip
        async with asyncio.TaskGroup() as working:
            for reader in readers:
                working.create_task(reader.run(closing))
            try:
                yield readers
                # However fast it went: enough of what was told has been looked at.
                await until(lambda: _have_read(readers), seconds=DEADLINE_SECONDS)
            finally:
                closing.set()
        assert [fault for reader in readers for fault in reader.faults] == []
        told = {shown for reader in readers for shown in reader.told.values()}
        assert min(told) > 0

    def figure(self, sku: str) -> int:
        """What is left of a SKU."""
        return sum(OPENING_UNITS - self.sold[sku, place] for place in LOCATIONS)

    async def rebuild(self) -> None:
        """As `stocktide view rebuild` asks for it."""
        (await self.http.post("/v1/view/rebuild")).raise_for_status()

    async def has_rebuilt(self) -> bool:
        """Whether the last rebuild is done."""
        return bool(
            await self.database.fetchval("select rebuilt_to is null from availability.progress")
        )

    async def has_all(self) -> None:
        """Wait until PostgreSQL and Redis say of every SKU what is left of it."""
        await until(self._is_whole, seconds=DEADLINE_SECONDS)

    async def _is_ready(self) -> bool:
        try:
            return (await self.http.get("/readyz")).status_code == 200
        except httpx.TransportError:
            return False

    async def _is_whole(self) -> bool:
        rows = await self.database.fetch("select sku, view from availability.stock")
        if len(rows) < len(self.skus) or not all(row["view"] for row in rows):
            return False
        in_redis: list[bytes | str | None] = []
        for start in range(0, len(rows), SLICE):
            names = [f"ats:{{{row['sku']}}}" for row in rows[start : start + SLICE]]
            in_redis += await self.redis.mget(names)
        return all(
            isinstance(value, bytes)
            and value[HEADER.size :] == row["view"]
            and _figure(row["view"]) == self.figure(row["sku"])
            for row, value in zip(rows, in_redis, strict=True)
        )

    async def _sell(self) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while True:
            messages: dict[tuple[str, str], Outgoing] = {}
            for _ in range(EVENTS_A_TICK):
                hot = self.rng.random() < 0.5
                place = (
                    self.rng.choice(self.skus[:HOT] if hot else self.skus),
                    self.rng.choice(LOCATIONS),
                )
                self.sold[place] += 1
                messages[place] = self._level(*place)
            await asyncio.shield(self._send(list(messages.values())))
            self.events += EVENTS_A_TICK
            due += TICK_SECONDS
            await asyncio.sleep(max(0.0, due - loop.time()))

    def _level(self, sku: str, place: str) -> Outgoing:
        sold = self.sold[sku, place]
        level = a_level(sku, place, OPENING_UNITS - sold, version=1 + sold)
        return self._message(STOCK_LEVELS, f"{sku}|{place}", sku, level)

    def _message(self, topic: Topic, key: str, partition_key: str, value: object) -> Outgoing:
        return Outgoing(
            topic=topic.name, partition=partition_for(partition_key.encode(), topic.partitions),
            key=key.encode(), value=json.dumps(value).encode(),
            headers=headers_for(id_=key, source="test", type_=topic.ce_type, time=NOON),
        )  # fmt: skip

    async def _send(self, messages: list[Outgoing]) -> None:
        await send_all(self.producer, messages)


async def _have_read(readers: Sequence[Reader]) -> bool:
    return all(reader.answers > ANSWERS_MIN for reader in readers)


@pytest.fixture
def process(
    stack: Addresses, database: str, redis_url: str, tmp_path: Path
) -> tuple[ServiceProcess, int]:
    """The service, not yet started, and its port."""
    port = free_ports(["http"], before={}, source=random.SystemRandom())["http"]
    environment = environment_of(stack, postgres=database, redis=redis_url)
    environment["STOCKTIDE_AVAILABILITY_PORT"] = str(port)
    return ServiceProcess("services.availability.app:main", environment, tmp_path / "log"), port


@pytest_asyncio.fixture(loop_scope="session")
async def selling(
    stack: Addresses, database: str, redis_url: str, process: tuple[ServiceProcess, int]
) -> AsyncIterator[Selling]:
    await fresh_topics(stack.kafka)
    service, port = process
    producer = await open_producer(stack.kafka)
    connection = await asyncpg.connect(database, timeout=10)
    seed = int(os.environ.get("STOCKTIDE_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"STOCKTIDE_CHAOS_SEED={seed}")  # noqa: T201  (shown when a test fails)
    url = f"http://127.0.0.1:{port}"
    async with (
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
        Redis.from_url(redis_url) as redis,
        a_ledger_that_answers(stack.kafka, producer),
    ):
        service.start()
        try:
            made = Selling(
                producer=producer, http=http, database=connection, redis=redis,
                rng=random.Random(seed), skus=[f"S{number}" for number in range(SKUS)],
            )  # fmt: skip
            await made.open()
            yield made
        finally:
            service.kill()
            await producer.stop()
            await connection.close()
            print(service.log_file.read_text()[-4_000:])  # noqa: T201  (as above)


async def test_a_rebuild_under_load_tells_nothing_untrue(selling: Selling) -> None:
    async with selling.read(), selling.a_thousand_a_second():
        for _ in range(ROUNDS):
            lost = selling.rng.sample(selling.skus, len(selling.skus) // 4)
            await selling.redis.delete(*[f"ats:{{{sku}}}" for sku in lost])
            began = time.perf_counter()
            await selling.rebuild()
            await until(selling.has_rebuilt, seconds=DEADLINE_SECONDS)
            print(f"rebuilt in {time.perf_counter() - began:.2f} s")  # noqa: T201  (a figure to read)

    await selling.has_all()


async def test_a_wipe_under_load_tells_nothing_untrue(selling: Selling) -> None:
    async with selling.read(), selling.a_thousand_a_second():
        for _ in range(ROUNDS):
            before = await selling.database.fetchval("select generation from availability.progress")
            began = time.perf_counter()
            await selling.redis.flushdb()

            async def is_noticed(before: int = before) -> bool:
                now = await selling.database.fetchval(
                    "select generation from availability.progress"
                )
                return bool(now > before)

            await until(is_noticed, seconds=DEADLINE_SECONDS)
            noticed = time.perf_counter() - began
            await until(selling.has_rebuilt, seconds=DEADLINE_SECONDS)
            whole = time.perf_counter() - began
            print(f"noticed after {noticed:.2f} s, whole after {whole:.2f} s")  # noqa: T201  (as above)

    await selling.has_all()


def _figure(view: bytes) -> int | None:
    shown: dict[str, dict[str, int]] = json.loads(view.partition(b"\n")[0])
    return shown["web"]["available_to_sell"] if "web" in shown else None
