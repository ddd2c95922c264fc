"""The whole worker on real servers: Kafka in, HTTP out, the ledger closed, Kafka out."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from services.publication.app import build
from services.simulators.woocommerce import KEY, SECRET
from shared.contracts.records import Message
from shared.contracts.topics import (
    ALLOCATIONS,
    AVAILABILITY,
    ORDERS,
    PUBLICATIONS,
    REFERENCE_DATA,
    Topic,
)
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.infrastructure import Addresses
from shared.runtime.lifecycle import Process
from shared.telemetry.health import Health
from tests.conformance.publication.hearing import an_order, an_outcome
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)

TOPICS = (AVAILABILITY, REFERENCE_DATA, PUBLICATIONS, ORDERS, ALLOCATIONS)


async def renew_topics(kafka: str) -> None:
    """The service's own topic names are fixed: each test begins with them empty."""
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka)
    await admin.start()
    try:
        existing = set(await admin.list_topics()) & {topic.name for topic in TOPICS}
        if existing:
            await admin.delete_topics(sorted(existing))

            async def are_gone() -> bool:
                return not existing & set(await admin.list_topics())

            await eventually(are_gone)
        await admin.create_topics(
            [NewTopic(topic.name, topic.partitions, 1) for topic in TOPICS], validate_only=False
        )
    finally:
        await admin.close()


def outgoing(topic: Topic, payload: Mapping[str, Any]) -> Outgoing:
    """A message as a producer would send it."""
    value = json.dumps(payload).encode()
    message = topic.decode(value)
    assert isinstance(message, Message), message
    return Outgoing(
        topic=topic.name, partition=topic.partition_of(message), key=message.key(), value=value,
        headers=[],
    )  # fmt: skip


@asynccontextmanager
async def a_process(
    stage: Stage, stack: Addresses, monkeypatch: pytest.MonkeyPatch, **shop_settings: str
) -> AsyncIterator[Process]:
    """Publication as its composition root builds it, but for HTTP."""
    woocommerce = {"kind": "woocommerce", "url": stage.url, "key": KEY, "secret": SECRET}
    shop = {CHANNEL: shop_settings or woocommerce}
    monkeypatch.setenv("STOCKTIDE_KAFKA", stack.kafka)
    monkeypatch.setenv("STOCKTIDE_POSTGRES", stage.dsn)
    monkeypatch.setenv("STOCKTIDE_PUBLICATION_CHANNELS", json.dumps(shop))
    process = Process(name="publication", health=Health("publication"))
    async with process.resources:
        await build(process)
        tasks = [
            asyncio.ensure_future(task()) for name, task in process.tasks.items() if name != "http"
        ]
        try:
            yield process
        finally:
            process.closing.set()
            await asyncio.gather(*tasks)


async def published(kafka: str, count: int) -> list[dict[str, Any]]:
    """The first `count` messages of publications-v1."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(PUBLICATIONS.name, p) for p in range(8)])
        found: list[dict[str, Any]] = []

        async def are_there() -> bool:
            batches = await consumer.getmany(timeout_ms=100)
            found.extend(json.loads(m.value) for ms in batches.values() for m in ms)
            return len(found) >= count

        await eventually(are_there)
        return found
    finally:
        await consumer.stop()


async def test_a_figure_on_kafka_becomes_a_call_a_closed_attempt_and_a_publication(
    stage: Stage, stack: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_topics(stack.kafka)
    stage.shop.stock(2, 1_000)
    producer: AIOKafkaProducer = await open_producer(stack.kafka)
    try:
        records = [a_channel(), a_listing("SKU-1", "1"), a_listing("SKU-2", "2")]
        await send_all(producer, [outgoing(REFERENCE_DATA, r) for r in records])

        async with a_process(stage, stack, monkeypatch):
            figures = [a_figure("SKU-1", 7, 1), a_figure("SKU-2", 0, 1)]
            await send_all(producer, [outgoing(AVAILABILITY, f) for f in figures])

            await eventually(lambda: (stage.shown(1), stage.shown(2)) == (7, 0))
            told = await published(stack.kafka, 2)
    finally:
        await producer.stop()

    states = {(t["listing_id"], t["sku"], t["value"], t["status"]) for t in told}
    assert states == {("1", "SKU-1", 7, "acknowledged"), ("2", "SKU-2", 0, "acknowledged")}
    rows = await stage.fetch("select outcome from publication.attempts")
    assert [row["outcome"] for row in rows] == ["acknowledged", "acknowledged"]
    positions = await stage.fetch(
        "select sum(next_offset) as read from publication.positions where topic = 'availability-v1'"
    )
    assert positions[0]["read"] == 2


async def test_orders_and_outcomes_on_kafka_are_heard_where_a_channel_compares(
    stage: Stage, stack: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_topics(stack.kafka)
    monkeypatch.setenv("STOCKTIDE_PUBLICATION_HEARD_AFTER_SECONDS", "0.05")
    order = {
        "order_id": "o1", "channel": CHANNEL, "state": "confirmed", "version": 1,
        "lines": [{"line_id": "1", "listing": "c1", "quantity": 2}],
    }  # fmt: skip
    outcome = {
        "order_id": "o1", "line_id": "1", "version": 1, "decided_for": 1, "sku": "SKU-1",
        "wanted": 2, "recorded_at": "2026-06-01T12:00:00+00:00",
    }  # fmt: skip
    producer: AIOKafkaProducer = await open_producer(stack.kafka)
    try:
        async with a_process(
            stage, stack, monkeypatch, kind="shopify", url="http://127.0.0.1:9",
            access_token="none", location_id="1",
        ):  # fmt: skip
            await send_all(producer, [outgoing(ALLOCATIONS, outcome), outgoing(ORDERS, order)])

            async def is_counted() -> bool:
                rows = await stage.fetch(
                    "select channel, listing, sku, wanted, counted from publication.order_lines"
                )
                return [tuple(row) for row in rows] == [(CHANNEL, "c1", "SKU-1", 2, 2)]

            await eventually(is_counted, seconds=20)
    finally:
        await producer.stop()


async def test_a_sale_behind_a_buffer_is_written_back_where_a_channel_cannot_compare(
    stage: Stage, stack: Addresses, monkeypatch: pytest.MonkeyPatch
) -> None:
    await renew_topics(stack.kafka)
    monkeypatch.setenv("STOCKTIDE_PUBLICATION_HEARD_AFTER_SECONDS", "0.05")
    stage.shop.stock(1, 1_000)
    producer: AIOKafkaProducer = await open_producer(stack.kafka)
    try:
        async with a_process(stage, stack, monkeypatch):
            records = [a_channel(), a_listing("SKU-1", "1")]
            await send_all(producer, [outgoing(REFERENCE_DATA, r) for r in records])
            await send_all(producer, [outgoing(AVAILABILITY, a_figure("SKU-1", 7, 1))])
            await eventually(lambda: stage.shown(1) == 7)

            stage.shop.shop.entries[1].stock_quantity = 6
            order, outcome = an_order("o1", listing="1"), an_outcome("o1")
            await send_all(producer, [outgoing(ORDERS, order), outgoing(ALLOCATIONS, outcome)])

            await eventually(lambda: stage.shown(1) == 7, seconds=20)
    finally:
        await producer.stop()

    assert stage.writes() == [(1, 7), (1, 7)]
