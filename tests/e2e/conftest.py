"""A small shop chain on a stack of its own: every service runs as it does for a person."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.cli.demo.checker import Checker
from services.cli.demo.quiet import Quiet
from services.cli.demo.sales import Article, Line
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Shelves
from services.cli.demo.shops import Shop, publication_settings, simulator
from services.cli.demo.watch import Watch
from services.cli.demo.world import WEBSHOP, World, opening_movements, reference_data
from services.cli.registry import SERVICES
from services.cli.stack import Plan, Stack, brought_up, ports_for
from services.cli.supervisor import Supervisor
from shared.kafka.producing import open_producer
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure import Addresses, GivenAddresses, choose, started, wipe
from shared.runtime.infrastructure.interface import Providers

EMBEDDED: Providers = {"kafka": "embedded", "postgres": "embedded", "redis": "embedded"}
QUIET_SECONDS = 40.0
OPENINGS = {
    ("apple", "central"): 10,
    ("apple", "store-1"): 4,
    ("pear", "store-1"): 3,
    ("pear", "store-2"): 6,
    ("plum", "central"): 5,
    ("plum", "store-1"): 3,
}
NAMES = ("apple", "pear", "plum")


@dataclass(slots=True, kw_only=True)
class Chain:
    """The chain's stack, and the demo's tools on it. Nothing stands between it and the services."""

    addresses: Addresses
    stack: Stack
    running: Supervisor
    connection: "asyncpg.Connection[asyncpg.Record]"
    redis: "Redis"
    sender: Sender
    shelves: Shelves
    shop: Shop
    quiet: Quiet
    watch: Watch
    world: World

    def checker(self) -> Checker:
        """A checker of this chain."""
        return Checker(
            connection=self.connection, redis=self.redis, kafka=self.addresses.kafka,
            shops={WEBSHOP: self.shop}, entries=self.world.entries, shelves=self.shelves.on_hand,
        )  # fmt: skip

    async def sell(self, sku: str, store: str, units: int, *, basket: int) -> None:
        """A sale at a store's till, told to Kafka as tills do."""
        line = Line(0, store, basket, sku, units)
        sold = self.shelves.sell(line)
        await self.sender.sales([(line, sold)], "2017-01-01T12:56", SystemClock().now())

    async def rest(self) -> None:
        """Wait until everything is quiet."""
        waiting = await self.quiet.wait(QUIET_SECONDS)
        assert not waiting, waiting

    async def stop_services(self) -> None:
        """Stop every service; the servers and the shop stay."""
        await self.running.stop()

    async def start_services(self) -> None:
        """Start every service again."""
        children = [life.child for life in self.running.lives.values()]
        logs = self.stack.plan.folder / "logs"
        self.running = Supervisor(children, logs=logs, clock=SystemClock())
        await self.running.start()
        assert await self.running.wait_ready(40) == []

    async def shown(self, sku: str) -> int | None:
        """What the web shop shows of a SKU."""
        return (await self.shop.quantities())[self.world.entries[sku]]


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Addresses]]:
    """Servers that no other test touches: the services' topics and groups have one name each."""
    folder = tmp_path_factory.mktemp("chain")
    given = GivenAddresses()
    with started(choose(given=given, data_folder=folder, docker=False)) as addresses:
        yield folder, addresses
    wipe(folder)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chain(servers: tuple[Path, Addresses]) -> AsyncIterator[Chain]:
    """The chain, opened and at rest."""
    folder, addresses = servers
    port = ports_for({"shop": 8795})["shop"]
    url = f"http://127.0.0.1:{port}"
    clock = SystemClock()
    # The shop outlives the services: a test stops them to break things that they would mend.
    shops = Supervisor([simulator(WEBSHOP, port)], logs=folder / "logs", clock=clock)
    await shops.start()
    assert await shops.wait_ready(20) == []
    plan = Plan(
        kind="test", folder=folder, services=SERVICES,
        environment=publication_settings({WEBSHOP: url}),
    )  # fmt: skip
    articles = tuple(Article(sku=sku, name=sku, category=("fruit",)) for sku in NAMES)
    world = World(
        articles=articles, stores=("store-1", "store-2"), openings=OPENINGS,
        entries={sku: number for number, sku in enumerate(NAMES, start=1)},
    )  # fmt: skip
    async with brought_up(plan, addresses, EMBEDDED, lambda _: None) as stack:
        connection = await asyncpg.connect(addresses.postgres, timeout=10)
        redis = Redis.from_url(addresses.redis)
        producer = await open_producer(addresses.kafka)
        shop, quiet = Shop(url), Quiet(addresses.kafka, connection, clock)
        watch = Watch(addresses.kafka, {WEBSHOP: shop}, world.entries)
        await quiet.open()
        made = Chain(
            addresses=addresses, stack=stack, running=stack.supervisor,
            connection=connection, redis=redis,
            sender=Sender(producer, "e2e"), shelves=Shelves(), shop=shop, quiet=quiet,
            watch=watch, world=world,
        )  # fmt: skip
        made.shelves.on_hand.update(OPENINGS)
        await shop.fill((entry, sku, 0) for sku, entry in world.entries.items())
        await made.sender.records(reference_data(world), clock.now())
        await made.sender.openings(opening_movements(world, clock.now()), clock.now())
        await made.rest()
        await watch.open(OPENINGS)
        yield made
        await made.stop_services()
        await watch.close()
        await quiet.close()
        await shop.close()
        await producer.stop()
        await redis.aclose()
        await connection.close()
    await shops.stop()
