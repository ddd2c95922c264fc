"""The whole service in a process of its own: from Kafka to Kafka, Redis and HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from redis.asyncio import Redis

from shared.contracts.cloudevents import headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA, STOCK_LEVELS, SUPPLY_ORDERS, Topic
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.infrastructure import Addresses
from shared.testing.messages import NOON
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.availability.bench import WEB, a_level
from tests.integration.availability.ledger_stub import answer_requests

DEADLINE_SECONDS = 60
WHOLE_AGAIN_SECONDS = 15


@dataclass(slots=True)
class Running:
    """A running service, and how to speak with it."""

    process: ServiceProcess
    producer: AIOKafkaProducer
    http: httpx.AsyncClient
    ledger_is_there: asyncio.Event

    async def send(self, topic: Topic, key: str, partition_key: str, value: object) -> None:
        """Produce one message."""
        headers = headers_for(id_=key, source="test", type_=topic.ce_type, time=NOON)
        message = Outgoing(
            topic=topic.name,
            partition=partition_for(partition_key.encode(), topic.partitions),
            key=key.encode(),
            value=json.dumps(value).encode(),
            headers=headers,
        )
        await send_all(self.producer, [message])

    async def figure(self, sku: str, channel: str) -> int | None:
        """What HTTP says now; None while it can't."""
        try:
            answer = await self.http.get(f"/v1/availability/{sku}", params={"channel": channel})
        except httpx.TransportError:
            return None
        if answer.status_code != 200 or channel not in answer.json()["channels"]:
            return None
        found: int = answer.json()["channels"][channel]["available_to_sell"]
        return found

    async def has_asked(self) -> bool:
        """Has it read everything, and asked for the rest?"""
        log = self.process.log_file
        return log.exists() and "republish_asked" in log.read_text()

    async def wait_for(self, sku: str, figure: int) -> None:
        """Wait until HTTP says so."""
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await self.figure(sku, "web") != figure:  # noqa: ASYNC110  (another process)
                await asyncio.sleep(0.1)


@pytest_asyncio.fixture(loop_scope="session")
async def running(
    stack: Addresses,
    database: str,
    redis_url: str,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> AsyncIterator[Running]:
    await fresh_topics(stack.kafka)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = environment_of(stack, postgres=database, redis=redis_url)
    environment["STOCKTIDE_AVAILABILITY_PORT"] = str(port)
    process = ServiceProcess("services.availability.app:main", environment, tmp_path / "log")
    producer = await open_producer(stack.kafka)
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
        process.start()
        ledger_is_there = asyncio.Event()
        if getattr(request, "param", True):
            ledger_is_there.set()
        ledger = asyncio.create_task(answer_requests(stack.kafka, producer, ledger_is_there))
        try:
            yield Running(process, producer, http, ledger_is_there)
        finally:
            ledger.cancel()
            await asyncio.gather(ledger, return_exceptions=True)
            process.kill()
            await producer.stop()
            print(process.log_file.read_text()[-6000:])  # noqa: T201  (shown when a test fails)


async def test_a_level_on_kafka_becomes_a_figure_on_kafka_and_over_http(
    running: Running, stack: Addresses
) -> None:
    await running.send(REFERENCE_DATA, "channel|web|", "channel|web|", WEB)
    await running.send(STOCK_LEVELS, "S1|L1", "S1", a_level("S1", "L1", 7))

    await running.wait_for("S1", 7)
    async with asyncio.timeout(DEADLINE_SECONDS):
        told = await _first_message(stack.kafka)
    assert (told["channel"], told["sku"], told["available_to_sell"]) == ("web", "S1", 7)
    assert running.process.stop() == 0


async def test_a_crash_and_a_wipe_leave_the_figures_right_and_the_stream_tells_the_next(
    running: Running, redis_url: str
) -> None:
    await running.send(REFERENCE_DATA, "channel|web|", "channel|web|", WEB)
    await running.send(STOCK_LEVELS, "S1|L1", "S1", a_level("S1", "L1", 7))
    await running.wait_for("S1", 7)

    running.process.kill()
    await _flush(redis_url)
    await running.send(STOCK_LEVELS, "S1|L2", "S1", a_level("S1", "L2", 1))
    running.process.start()
    await running.wait_for("S1", 8)

    await _flush(redis_url)
    async with asyncio.timeout(WHOLE_AGAIN_SECONDS):
        while not await _holds(redis_url, "ats:{S1}"):
            assert await running.figure("S1", "web") == 8
            await asyncio.sleep(0.1)

    async with running.http.stream("GET", "/v1/stream", timeout=DEADLINE_SECONDS) as stream:
        lines = stream.aiter_lines()
        assert await anext(lines) == ": alive"
        await running.send(STOCK_LEVELS, "S1|L3", "S1", a_level("S1", "L3", 2))
        async for line in lines:
            if line.startswith("data: "):
                assert json.loads(line[6:])["available_to_sell"] == 10
                break


@pytest.mark.parametrize("running", [False], indirect=True)
async def test_a_view_built_from_nothing_is_ready_only_when_everything_was_told_again(
    running: Running,
) -> None:
    await running.send(REFERENCE_DATA, "channel|web|", "channel|web|", WEB)
    await running.send(STOCK_LEVELS, "S1|L1", "S1", a_level("S1", "L1", 7))
    await until(running.has_asked)
    assert (await running.http.get("/readyz")).status_code == 503
    assert await running.figure("S1", "web") is None

    # The topic had lost a key: the ledger tells it again, and then that it has.
    await running.send(STOCK_LEVELS, "S1|L2", "S1", a_level("S1", "L2", 2))
    running.ledger_is_there.set()

    await running.wait_for("S1", 9)
    assert (await running.http.get("/readyz")).status_code == 200


async def test_a_supply_order_on_kafka_becomes_a_promise_over_http(running: Running) -> None:
    await running.send(REFERENCE_DATA, "channel|web|", "channel|web|", WEB)
    await running.send(STOCK_LEVELS, "S1|L1", "S1", a_level("S1", "L1", 7))
    expected = "2100-01-01T00:00:00Z"
    supply = {
        "supply_id": "P1", "type": "purchase_order", "state": "confirmed", "version": 1,
        "to_location": "L1", "expected_at": expected,
        "lines": [{"line_id": "1", "sku": "S1", "ordered": 5}],
    }  # fmt: skip

    await running.send(SUPPLY_ORDERS, "P1", "P1", supply)

    await running.wait_for("S1", 7)

    async def asked(**query: str) -> object:
        answer = await running.http.get("/v1/promise/S1", params={"channel": "web"} | query)
        assert answer.status_code == 200, answer.text
        return answer.json()["available_to_promise"]

    async with asyncio.timeout(DEADLINE_SECONDS):
        while await asked(by=expected) != 12:  # noqa: ASYNC110  (another process)
            await asyncio.sleep(0.1)
    assert await asked() == 7


async def _flush(redis_url: str) -> None:
    async with Redis.from_url(redis_url) as client:
        await client.flushdb()


async def _holds(redis_url: str, key: str) -> bool:
    async with Redis.from_url(redis_url) as client:
        return bool(await client.exists(key))


async def _first_message(servers: str) -> dict[str, object]:
    consumer = AIOKafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign(
            [TopicPartition(AVAILABILITY.name, n) for n in range(AVAILABILITY.partitions)]
        )
        message = await consumer.getone()
        found: dict[str, object] = json.loads(message.value)
        return found
    finally:
        await consumer.stop()
