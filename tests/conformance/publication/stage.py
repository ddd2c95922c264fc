"""What a test of publication stands on: a shop over real HTTP, a migrated database, an engine."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import uvicorn
from starlette.types import ASGIApp

import services.publication
from services.publication.app import call_id
from services.publication.channels import Connector
from services.publication.channels.woocommerce import WooCommerce
from services.publication.domain.holding_back import HoldBack
from services.publication.engine import Engine, Lane, LaneOptions
from services.publication.engine.owning import Owning
from services.publication.handlers import PublicationHandler
from services.publication.repository.hearing import Counting
from services.publication.repository.store import Store
from services.simulators.woocommerce import KEY, SECRET, WooCommerceSimulator
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA
from shared.kafka.batches import Batch
from shared.postgres.connecting import Pool, connect, open_pool
from shared.postgres.migrations import migrate
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock
from shared.testing.messages import FakeMessage, a_batch

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
CHANNEL = "shop"
QUICK = LaneOptions(lease_seconds=3.0, renew_seconds=0.2, resync_slice=40)
DEADLINE_SECONDS = 10.0


async def migrate_publication(dsn: str) -> None:
    """Fill a new database with publication's schema."""
    connection = await connect(dsn, application="test")
    folder = Path(services.publication.__file__).parent / "migrations"
    try:
        await migrate(connection, "publication", folder)
    finally:
        await connection.close()


@asynccontextmanager
async def serving(app: ASGIApp) -> AsyncIterator[str]:
    """An ASGI application on a free loopback port; yields its URL."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(
            app, host="127.0.0.1", port=port, log_config=None, access_log=False, lifespan="off",
            http="httptools", timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    task = asyncio.create_task(server._serve())
    await eventually(lambda: server.started)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


def a_connector(url: str, **overrides: Any) -> WooCommerce:
    """A connector to a simulated shop, impatient."""
    options: dict[str, Any] = {"timeout_seconds": 1.0} | overrides
    return WooCommerce(url=url, key=KEY, secret=SECRET, **options)


def a_figure(sku: str, available: int, version: int, **overrides: Any) -> dict[str, Any]:
    """A state of availability-v1 as JSON values."""
    figure = {
        "channel": CHANNEL, "sku": sku, "version": version, "available_to_sell": available,
        "terms": {"pool": available}, "computed_at": NOON.isoformat(),
    }  # fmt: skip
    return figure | overrides


def a_listing(sku: str, code: str, **overrides: Any) -> dict[str, Any]:
    """A listing record as JSON values."""
    return {"kind": "listing", "channel": CHANNEL, "listing_id": code, "sku": sku} | overrides


def a_channel(mode: str = "live", **overrides: Any) -> dict[str, Any]:
    """A channel record as JSON values."""
    return {"kind": "channel", "channel": CHANNEL, "mode": mode} | overrides


@dataclass(kw_only=True)
class Worker:
    """One process of publication, without Kafka: batches are handed to its handler."""

    pool: Pool
    store: Store
    engine: Engine
    lane: Lane
    handler: PublicationHandler
    closing: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Run the engine."""
        self.task = asyncio.create_task(self.engine.run(self.closing))

    async def is_serving(self) -> None:
        """Wait until the lane has the lease and has read what there is."""
        await eventually(lambda: self.lane.is_serving)

    async def stop(self) -> None:
        """Close as SIGTERM does."""
        self.closing.set()
        if self.task is not None:
            await self.task

    async def kill(self) -> None:
        """Go without a word: nothing is closed, nothing given back."""
        for task in (self.task, *self.lane._slots):
            if task is not None:
                task.cancel()
        await asyncio.gather(*self.lane._slots, return_exceptions=True)
        if self.task is not None:
            await asyncio.gather(self.task, return_exceptions=True)
            self.task = None


class Feed:
    """Messages of both topics, with the positions that a consumer would keep."""

    def __init__(self, pool: Pool) -> None:
        self._positions = Positions(pool, schema="publication", owner="test")
        self._offsets: dict[str, int] = {}
        self._epochs: dict[str, int] = {}

    async def batch(self, topic: str, payloads: list[Mapping[str, Any] | bytes]) -> Batch:
        """The next batch of a topic's partition 0."""
        if topic not in self._epochs:
            claim = await self._positions.claim(topic, 0, first_offset=0)
            self._epochs[topic], self._offsets[topic] = claim.epoch, claim.next_offset
        first = self._offsets[topic]
        self._offsets[topic] += len(payloads)
        messages = [
            FakeMessage(
                topic=topic, offset=first + i,
                value=p if isinstance(p, bytes) else json.dumps(p).encode(),
            )
            for i, p in enumerate(payloads)
        ]  # fmt: skip
        return a_batch(messages, epoch=self._epochs[topic], expected=first)


@dataclass(kw_only=True)
class Stage:
    """A shop, a database, and as many workers as a test starts."""

    dsn: str
    pool: Pool
    shop: WooCommerceSimulator
    url: str
    feed: Feed
    workers: list[Worker] = field(default_factory=list)
    connectors: list[WooCommerce] = field(default_factory=list)

    def worker(self, options: LaneOptions = QUICK, **connector: Any) -> Worker:
        """A new process over the same database and shop."""
        made = a_connector(self.url, **connector)
        self.connectors.append(made)
        return self.worker_for(made, options)

    def worker_with(self, hold: HoldBack | None, options: LaneOptions = QUICK) -> Worker:
        """A new process that holds back so much in the shop."""
        made = a_connector(self.url)
        self.connectors.append(made)
        return self.worker_for(made, options, hold)

    def worker_for(
        self, connector: Connector, options: LaneOptions = QUICK, hold: HoldBack | None = None
    ) -> Worker:
        """A new process with this connector."""
        clock, name = SystemClock(), f"worker-{len(self.workers)}"
        store = Store(self.pool, {CHANNEL: connector.descriptor.quantity_max})
        patience = options.heard_after_seconds + 0.3
        lane = Lane(CHANNEL, connector, store, clock, random.Random(7), call_id, patience, hold)
        owning = Owning(lane, store, clock, name, options)
        memory = 600.0 if hold is None else hold.memory_seconds
        engine = Engine(
            {CHANNEL: (lane, owning)}, store, clock, call_id, options.unheard_seconds_max,
            Counting(memory_seconds=memory),
        )  # fmt: skip
        handler = PublicationHandler(store, engine, clock, woken=lambda: None)
        worker = Worker(pool=self.pool, store=store, engine=engine, lane=lane, handler=handler)
        self.workers.append(worker)
        return worker

    async def tell(self, worker: Worker, *payloads: Mapping[str, Any] | bytes) -> None:
        """Reference records through the worker's handler."""
        await self._apply(worker, REFERENCE_DATA.name, list(payloads))

    async def figures(self, worker: Worker, *payloads: Mapping[str, Any] | bytes) -> None:
        """Figures through the worker's handler, as one batch."""
        await self._apply(worker, AVAILABILITY.name, list(payloads))

    async def _apply(
        self, worker: Worker, topic: str, payloads: list[Mapping[str, Any] | bytes]
    ) -> None:
        batch = await self.feed.batch(topic, payloads)
        await worker.handler.apply(batch, await worker.handler.decode(batch))

    async def catalogue(self, worker: Worker, count: int, mode: str = "live") -> None:
        """`count` products on the shelf with 1,000 units each, and a listing for every one."""
        self.shop.stock(count, 1_000)
        listings = [a_listing(f"SKU-{i}", str(i)) for i in range(1, count + 1)]
        await self.tell(worker, a_channel(mode), *listings)

    def shown(self, entry: int) -> int | None:
        """What the shop shows."""
        return self.shop.shop.entries[entry].stock_quantity

    def writes(self) -> list[tuple[int, int]]:
        """Every (entry, value) that was written, in order."""
        return [(entry, value) for _, entry, value in self.shop.calls.read(0, 1_000_000)[1]]

    async def fetch(self, query: str, *arguments: Any) -> list[asyncpg.Record]:
        """Rows of the database."""
        async with self.pool.acquire() as connection:
            return await connection.fetch(query, *arguments)


@asynccontextmanager
async def a_stage(dsn: str) -> AsyncIterator[Stage]:
    """Everything up, and everything down again."""
    shop = WooCommerceSimulator()
    # opened at once: one that is cancelled while it connects complains after its database is gone
    pool = await open_pool(dsn, application="test", size_max=8, size_min=8)
    async with serving(shop.app) as url:
        stage = Stage(dsn=dsn, pool=pool, shop=shop, url=url, feed=Feed(pool))
        try:
            yield stage
        finally:
            shop.faults.set([])
            for worker in stage.workers:
                await worker.stop()
                await worker.store.close()
            for connector in stage.connectors:
                await connector.close()
            await shop.webhooks.close()
    await pool.close()


async def eventually(
    condition: Callable[[], bool] | Callable[[], Awaitable[bool]],
    seconds: float = DEADLINE_SECONDS,
) -> None:
    """Poll until true. Raises AssertionError at the deadline."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + seconds
    while True:
        found = condition()
        if not isinstance(found, bool):
            found = await found
        if found:
            return
        assert loop.time() < deadline, f"still not true after {seconds} s"
        await asyncio.sleep(0.01)
