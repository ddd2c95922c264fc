"""Ingestion as its composition root builds it, over real servers and real HTTP."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

import services.ingestion
from services.ingestion.app import build
from shared.contracts.records import Message
from shared.contracts.topics import ORDERS, REFERENCE_DATA
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.postgres.connecting import Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.runtime.lifecycle import Process
from shared.telemetry.health import Health
from shared.testing.servers import unique_name
from shared.testing.waiting import until
from tests.unit.ingestion.builders import (
    KEY,
    SECRET,
    body_of,
    shopify_headers,
    signed,
    woo_headers,
)

SHOPIFY_SECRET = f"{SECRET}-two"
MIGRATIONS = Path(services.ingestion.__file__).parent / "migrations"


async def migrate_ingestion(dsn: str) -> None:
    """The set-up of the template database."""
    connection = await connect(dsn, application="test")
    try:
        await migrate(connection, "ingestion", MIGRATIONS)
    finally:
        await connection.close()


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@dataclass(kw_only=True)
class Bench:
    """One database and one broker, and as many processes after each other as a test starts. The
    two shops have names of their own: topics are shared by all tests.
    """

    dsn: str
    kafka: str
    pool: Pool
    monkeypatch: pytest.MonkeyPatch
    woo: str = field(default_factory=lambda: unique_name("woo"))
    shopify: str = field(default_factory=lambda: unique_name("shopify"))

    @asynccontextmanager
    async def process(self, *, kafka: str | None = None) -> AsyncIterator[httpx.AsyncClient]:
        """A process with all its tasks; `kafka` may be an address where nobody is."""
        port = free_port()
        shops = {
            self.woo: {"kind": "woocommerce", "secrets": [SECRET]},
            self.shopify: {"kind": "shopify", "secrets": [SHOPIFY_SECRET]},
        }
        for name, value in {
            "KAFKA": kafka or self.kafka, "POSTGRES": self.dsn,
            "INGESTION_PORT": str(port), "INGESTION_SHOPS": json.dumps(shops),
            "INGESTION_CUSTOMER_KEY": KEY.decode(), "INGESTION_SEND_SECONDS": "1",
        }.items():  # fmt: skip
            self.monkeypatch.setenv(f"STOCKTIDE_{name}", value)
        process = Process(name="ingestion", health=Health("ingestion"))
        async with process.resources:
            await build(process)
            tasks = [asyncio.ensure_future(task()) for task in process.tasks.values()]
            try:
                async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
                    await until(lambda: _answers(client))
                    yield client
            finally:
                process.closing.set()
                _, late = await asyncio.wait(tasks, timeout=4)
                for task in late:
                    task.cancel()
                ended = await asyncio.gather(*tasks, return_exceptions=True)
                assert [e for e in ended if isinstance(e, Exception)] == []

    async def ask(self, statement: str, *arguments: object) -> list[dict[str, Any]]:
        """Rows of a test's own SQL."""
        async with self.pool.acquire() as connection:
            return [dict(row) for row in await connection.fetch(statement, *arguments)]

    async def statuses(self) -> dict[str, int]:
        """Rows of the inbox by status."""
        rows = await self.ask(
            "select status, count(*)::int as n from ingestion.inbox group by status"
        )
        return {row["status"]: row["n"] for row in rows}

    async def has(self, **statuses: int) -> None:
        """Wait until the inbox stands so."""

        async def stands() -> bool:
            return await self.statuses() == statuses

        await until(stands)

    async def deliver(self, http: httpx.AsyncClient, payload: Mapping[str, Any]) -> httpx.Response:
        """A delivery of the WooCommerce shop."""
        body = body_of(dict(payload))
        url = f"/v1/webhooks/woocommerce/{self.woo}"
        return await http.post(url, content=body, headers=woo_headers(body))

    async def deliver_shopify(
        self, http: httpx.AsyncClient, payload: Mapping[str, Any], topic: str
    ) -> httpx.Response:
        """A delivery of the Shopify shop."""
        body = body_of(dict(payload))
        signature = signed(body, SHOPIFY_SECRET)
        headers = shopify_headers(body, x_shopify_hmac_sha256=signature, x_shopify_topic=topic)
        return await http.post(
            f"/v1/webhooks/shopify/{self.shopify}", content=body, headers=headers
        )

    async def tell_listings(self, *listings: Mapping[str, Any]) -> None:
        """Reference records of both shops, as catalog would send them."""
        producer = await open_producer(self.kafka)
        records = [
            a_listing_message({**one, "channel": channel})
            for one in listings
            for channel in (self.woo, self.shopify)
        ]
        try:
            await send_all(producer, records)
        finally:
            await producer.stop()

    async def knows(self, count: int) -> None:
        """Wait until so many listings of the WooCommerce shop are known."""

        async def is_known() -> bool:
            (row,) = await self.ask(
                "select count(*)::int as n from ingestion.listings where channel = $1", self.woo
            )
            return bool(row["n"] == count)

        await until(is_known)

    async def orders(self, count: int) -> list[Any]:
        """The first `count` messages about orders of the two shops, and whatever came with them."""
        shops = (f"{self.woo}:".encode(), f"{self.shopify}:".encode())
        return await read_topic(self.kafka, ORDERS.name, count, lambda m: m.key.startswith(shops))

    async def everything(self) -> str:
        """Every row of every table of the schema, as text."""
        tables = await self.ask(
            "select table_name from information_schema.tables where table_schema = 'ingestion'"
        )
        rows = [
            str(row)
            for table in tables
            for row in await self.ask(
                f"select to_jsonb(t)::text as row from ingestion.{table['table_name']} t"
            )
        ]
        return "\n".join(rows)


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/livez")).status_code == 200
    except httpx.TransportError:
        return False


def a_listing_message(listing: Mapping[str, Any]) -> Outgoing:
    """A listing record as a message."""
    payload = {"kind": "listing"} | dict(listing)
    value = json.dumps(payload).encode()
    record = REFERENCE_DATA.decode(value)
    assert isinstance(record, Message), record
    return Outgoing(
        topic=REFERENCE_DATA.name, partition=REFERENCE_DATA.partition_of(record),
        key=record.key(), value=value, headers=[],
    )  # fmt: skip


async def read_topic(
    kafka: str, name: str, count: int, is_ours: Callable[[Any], bool]
) -> list[Any]:
    """The first `count` of our messages on a topic, and whatever came with them, by partition."""
    consumer = AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest")
    await consumer.start()
    found: list[Any] = []
    try:
        consumer.assign([TopicPartition(name, p) for p in range(ORDERS.partitions)])

        async def are_there() -> bool:
            fetched = await consumer.getmany(timeout_ms=100)
            found.extend(m for messages in fetched.values() for m in messages if is_ours(m))
            return len(found) >= count

        await until(are_there)
    finally:
        await consumer.stop()
    return found


def values(messages: Sequence[Any]) -> list[dict[str, Any]]:
    """The payloads."""
    return [json.loads(message.value) for message in messages]


@asynccontextmanager
async def open_bench(dsn: str, kafka: str, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Bench]:
    """Over a migrated database."""
    pool = await open_pool(dsn, application="test", size_max=4)
    try:
        yield Bench(dsn=dsn, kafka=kafka, pool=pool, monkeypatch=monkeypatch)
    finally:
        await pool.close()
