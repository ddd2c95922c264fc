"""A small shop chain on a stack of its own: every service runs as it does for a person."""

import asyncio
import logging
import os
import random
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
import pytest_asyncio
from redis.asyncio import Redis

from services.cli.demo.checker import Checker
from services.cli.demo.market import environment_of, make_shops
from services.cli.demo.orders_checking import Parcels
from services.cli.demo.picking import Bench
from services.cli.demo.quiet import Quiet
from services.cli.demo.sales import Article, Line
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Shelves
from services.cli.demo.shops import Shop
from services.cli.demo.shops.woocommerce import WooShop
from services.cli.demo.telling import Teller
from services.cli.demo.warehouse import Warehouse
from services.cli.demo.watch import Watch
from services.cli.demo.world import WAREHOUSE, World, opening_movements, reference_data
from services.cli.registry import SERVICES
from services.cli.stack import Plan, Stack, brought_up
from services.cli.supervisor import Supervisor
from shared.kafka.producing import open_producer
from shared.runtime.clock import SystemClock
from shared.runtime.infrastructure import Addresses, GivenAddresses, choose, started, wipe
from shared.runtime.infrastructure.interface import Providers
from tests.e2e.ground import laid
from tests.e2e.turmoil import Turmoil, raised

EMBEDDED: Providers = {"kafka": "embedded", "postgres": "embedded", "redis": "embedded"}
QUIET_SECONDS = 40.0
PARCELS_SECONDS = 20.0
LOOK_SECONDS, HEARD_LOOKS = 0.1, 300
SEED = 7
OPENINGS = {
    ("apple", "central"): 10,
    ("apple", "store-1"): 4,
    ("pear", "store-1"): 3,
    ("pear", "store-2"): 6,
    ("plum", "central"): 5,
    ("plum", "store-1"): 3,
    ("quince", "central"): 5,
    ("quince", "store-1"): 3,
}
KEYS = {"STOCKTIDE_CATALOG_API_KEY": "key-of-the-chain"}
NAMES = ("apple", "pear", "plum", "quince")  # nobody asks for a quince


# A client whose broker is away says so ten times a second, and buries what a failure has to tell.
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)
LAST_WORDS = pytest.StashKey[list[str]]()
LAST_WORDS_BYTES = 3_000


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
    shop: WooShop
    shops: dict[str, Shop]
    teller: Teller
    bench: Bench
    quiet: Quiet
    watch: Watch
    world: World

    def checker(self) -> Checker:
        """A checker of this chain."""
        return Checker(
            connection=self.connection, redis=self.redis, kafka=self.addresses.kafka,
            shops=self.shops, entries=self.world.entries, shelves=self.shelves.on_hand,
            parcels=Parcels(sent=self.bench.sent_units(),
                            graded=self.bench.graded),
        )  # fmt: skip

    async def sell(self, sku: str, store: str, units: int, *, basket: int) -> None:
        """A sale at a store's till, told to Kafka as tills do."""
        line = Line(0, store, basket, sku, units)
        sold = self.shelves.sell(line)
        await self.sender.sales([(line, sold)], "2017-01-01T12:56", SystemClock().now())

    async def rest(self) -> None:
        """Wait until everything is quiet."""
        for _ in range(HEARD_LOOKS):
            if not (unheard := await self.checker().orders().unheard()):
                break
            await asyncio.sleep(LOOK_SECONDS)
        assert not unheard, unheard
        waiting = await self.quiet.wait(QUIET_SECONDS)
        assert not waiting, waiting

    async def until(self, is_so: Callable[[], bool]) -> None:
        """Wait until something is so, for a bounded time."""
        for _ in range(HEARD_LOOKS):
            if is_so():
                return
            await asyncio.sleep(LOOK_SECONDS)
        raise AssertionError("it did not come about in time")

    async def send_parcels(self) -> None:
        """Have the warehouse send what is ordered, and grade what comes back of it."""
        warehouse = Warehouse(self.addresses.kafka, self.bench, self.teller, SystemClock())
        graded = self.bench.returns
        await warehouse.start()
        await self.until(lambda: self.bench.returns > graded)
        await warehouse.stop(PARCELS_SECONDS)
        await self.rest()

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

    async def shown(self, sku: str, channel: str = "woocommerce") -> int | None:
        """What a shop shows of a SKU."""
        return (await self.shops[channel].quantities())[self.world.entries[sku]]


def _keep_last_words(request: pytest.FixtureRequest, folder: Path) -> None:
    """What the guardian and Kafka said last, if anything failed: their folder is wiped."""
    if not request.session.testsfailed:
        return
    kept = request.config.stash.setdefault(LAST_WORDS, [])
    for name in ("kafka", "guardian"):
        said = (folder / "logs" / f"{name}.log").read_text(errors="replace")
        kept.append(f"{name} in {folder.name} said last:\n{said[-LAST_WORDS_BYTES:]}")


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Behind the failures, where a cut report still has it."""
    for said in config.stash.get(LAST_WORDS, []):
        terminalreporter.section("last words")
        terminalreporter.write_line(said)


@pytest.fixture(scope="session")
def servers(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Path, Addresses]]:
    """Servers that no other test touches: the services' topics and groups have one name each."""
    folder = tmp_path_factory.mktemp("chain")
    given = GivenAddresses()
    with started(choose(given=given, data_folder=folder, docker=False)) as addresses:
        yield folder, addresses
        _keep_last_words(request, folder)
    wipe(folder)


def _world() -> World:
    articles = tuple(Article(sku=sku, name=sku, category=("fruit",)) for sku in NAMES)
    return World(
        articles=articles, stores=("store-1", "store-2"), openings=OPENINGS,
        entries={sku: number for number, sku in enumerate(NAMES, start=1)},
    )  # fmt: skip


async def _made(stack: Stack, market: dict[str, Shop], resources: AsyncExitStack) -> Chain:
    """The demo's tools on a stack that is up, the world opened."""
    addresses, clock, world, shelves = stack.addresses, SystemClock(), _world(), Shelves()
    shop, ingestion = market["woocommerce"], f"http://127.0.0.1:{stack.ports['ingestion']}"
    assert isinstance(shop, WooShop)
    connection = await asyncpg.connect(addresses.postgres, timeout=10)
    resources.push_async_callback(connection.close)
    redis = Redis.from_url(addresses.redis)
    resources.push_async_callback(redis.aclose)
    producer = await open_producer(addresses.kafka)
    resources.push_async_callback(producer.stop)
    quiet, teller = Quiet(addresses.kafka, connection, clock), Teller(ingestion, WAREHOUSE, "e2e")
    resources.push_async_callback(teller.close)
    await quiet.open()
    resources.push_async_callback(quiet.close)
    # Nothing gets lost here, and whatever is sent comes back.
    bench = Bench(shelves, random.Random(SEED), "e2e", lost_share=0.0, returned_share=1.0)
    made = Chain(
        addresses=addresses, stack=stack, running=stack.supervisor, connection=connection,
        redis=redis, sender=Sender(producer, "e2e"), shelves=shelves, shop=shop, shops=market,
        quiet=quiet, watch=Watch(addresses.kafka, market, world.entries), world=world,
        teller=teller, bench=bench,
    )  # fmt: skip
    shelves.on_hand.update(OPENINGS)
    for one in market.values():
        resources.push_async_callback(one.close)
        await one.fill((entry, sku, 0) for sku, entry in world.entries.items())
        await one.subscribe(ingestion)
    await made.sender.records(reference_data(world, market.values()), clock.now())
    await made.sender.openings(opening_movements(world, clock.now()), clock.now())
    await made.rest()
    await made.watch.open(OPENINGS)
    resources.push_async_callback(made.watch.close)
    return made


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chain(servers: tuple[Path, Addresses]) -> AsyncIterator[Chain]:
    """The chain, opened and at rest."""
    folder, addresses = servers
    market, clock = make_shops(), SystemClock()
    # The shop outlives the services: a test stops them to break things that they would mend.
    players = [one.simulator() for one in market.values()]
    shops = Supervisor(players, logs=folder / "logs", clock=clock)
    await shops.start()
    assert await shops.wait_ready(20) == []
    plan = Plan(
        kind="test", folder=folder, services=SERVICES,
        environment=environment_of(market) | KEYS,
    )  # fmt: skip
    async with (
        brought_up(plan, addresses, EMBEDDED, lambda _: None) as stack,
        AsyncExitStack() as resources,
    ):
        made = await _made(stack, market, resources)
        yield made
        await made.stop_services()
    await shops.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="session")
async def turmoil(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Turmoil]:
    """A stack of its own under load; STOCKTIDE_CHAOS_SEED repeats what was random about it."""
    seed = int(os.environ.get("STOCKTIDE_CHAOS_SEED") or random.SystemRandom().randrange(10**6))
    print(f"STOCKTIDE_CHAOS_SEED={seed}")  # noqa: T201  (shown when a test fails)
    folder, given = tmp_path_factory.mktemp("storm"), GivenAddresses()
    with started(choose(given=given, data_folder=folder, docker=False)) as addresses:
        async with laid(folder, addresses) as ground, raised(ground, seed) as made:
            yield made
        _keep_last_words(request, folder)
    wipe(folder)
