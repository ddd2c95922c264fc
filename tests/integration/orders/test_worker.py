"""The orders process on real Kafka and Postgres: states in, commands out, an order over HTTP."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from shared.contracts.topics import (
    ALLOCATIONS,
    ORDERS,
    REFERENCE_DATA,
    STOCK_COMMANDS,
    STOCK_MOVEMENTS,
    Topic,
)
from shared.contracts.topics import RETURNS as RETURN_STATES
from shared.runtime.infrastructure import Addresses
from shared.testing.messages import a_message
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.orders.bench import S1, WEB, Json, a_return, an_order

PORT = 18741


class Wire:
    """Both ends of the topics that orders reads and writes."""

    def __init__(self, producer: AIOKafkaProducer, consumer: AIOKafkaConsumer) -> None:
        self._producer = producer
        self._consumer = consumer
        self._heard: list[tuple[str, Json]] = []

    async def tell(self, topic: Topic, payload: Mapping[str, object]) -> None:
        """One state, on the partition that its contract names."""
        message = a_message(payload)
        decoded = topic.decode(message.value)
        await self._producer.send_and_wait(
            topic.name, message.value, key=decoded.key(),  # type: ignore[union-attr]  # it decodes
            partition=topic.partition_of(decoded),  # type: ignore[arg-type]  # it decodes
            headers=list(message.headers),
        )  # fmt: skip

    async def heard(self, topic: Topic, count: int) -> list[Json]:
        """The payloads of a topic, once there are `count` of them."""

        async def enough() -> bool:
            for messages in (await self._consumer.getmany(timeout_ms=100)).values():
                self._heard += [(m.topic, json.loads(m.value)) for m in messages]
            return sum(name == topic.name for name, _ in self._heard) >= count

        await until(enough, seconds=40)
        return [payload for name, payload in self._heard if name == topic.name]


@asynccontextmanager
async def wired(servers: str) -> AsyncIterator[Wire]:
    """A producer, and a consumer of what orders emits."""
    await fresh_topics(servers)
    producer = AIOKafkaProducer(bootstrap_servers=servers, acks="all")
    consumer = AIOKafkaConsumer(
        STOCK_COMMANDS.name, STOCK_MOVEMENTS.name,
        bootstrap_servers=servers, auto_offset_reset="earliest",
    )  # fmt: skip
    await producer.start()
    await consumer.start()
    try:
        yield Wire(producer, consumer)
    finally:
        await consumer.stop()
        await producer.stop()


async def test_orders_flow_through_the_process_and_survive_a_kill(
    stack: Addresses, database: str, tmp_path: Path
) -> None:
    environment = environment_of(stack, postgres=database) | {"STOCKTIDE_ORDERS_PORT": str(PORT)}
    process = ServiceProcess("services.orders.app:main", environment, tmp_path / "orders.log")
    async with wired(stack.kafka) as wire:
        await wire.tell(ORDERS, an_order())
        process.start()
        await wire.tell(REFERENCE_DATA, S1)
        await wire.tell(REFERENCE_DATA, WEB)
        command = (await wire.heard(STOCK_COMMANDS, 1))[0]
        process.kill()
        process.start()
        await wire.tell(ORDERS, an_order())
        await wire.tell(ALLOCATIONS, {
            "order_id": "O1", "line_id": "1", "version": 1, "decided_for": command["revision"],
            "sku": "S1", "wanted": 2, "allocated": [{"location": "L1", "quantity": 2}],
            "recorded_at": "2026-06-01T12:00:00Z",
        })  # fmt: skip
        line = {"line_id": "1", "sku": "S1", "graded": {"sellable": 1}}
        await wire.tell(RETURN_STATES, a_return(line))

        movements = await wire.heard(STOCK_MOVEMENTS, 1)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}") as client:
            await until(lambda: _stands(client, "allocated"))
            missing = await client.get("/v1/orders/unknown")
            ready = await client.get("/readyz")
        commands = await wire.heard(STOCK_COMMANDS, 1)
        status = await asyncio.to_thread(process.stop)

    assert [(m["type"], m["quantity"], m["location"]) for m in movements] == [("return", 1, "L1")]
    assert {(c["sku"], c["wanted"], c["revision"]) for c in commands} == {
        ("S1", 2, command["revision"])
    }
    assert (missing.status_code, ready.status_code, status) == (404, 200, 0)


async def _stands(client: httpx.AsyncClient, standing: str) -> bool:
    try:
        answer = await client.get("/v1/orders/O1")
    except httpx.TransportError:
        return False
    return answer.status_code == 200 and answer.json()["lines"][0]["standing"] == standing
