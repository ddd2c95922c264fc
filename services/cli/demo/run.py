"""One run of the demo on servers that are up: services, shops and warehouse, and the opening."""

import random
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from services.cli.commands.running import block, closing_on_signals
from services.cli.console import say
from services.cli.demo import keeping, reopening
from services.cli.demo.checker import Checker
from services.cli.demo.course import Course
from services.cli.demo.market import environment_of, make_shops
from services.cli.demo.options import Options
from services.cli.demo.orders_checking import known_orders, returned_units
from services.cli.demo.picking import Bench
from services.cli.demo.quiet import Quiet, require_quiet
from services.cli.demo.repository.counting import count_now
from services.cli.demo.scenario import Scenario, Stage
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Shelves
from services.cli.demo.shops import Shop
from services.cli.demo.shops.mirakl import SPEED as MARKETPLACE_SPEED
from services.cli.demo.telling import Teller
from services.cli.demo.warehouse import Warehouse
from services.cli.demo.watch import Watch
from services.cli.demo.world import WAREHOUSE, opening_movements, reference_data
from services.cli.exits import Exit
from services.cli.registry import SERVICES
from services.cli.spawning import Spawn, start_alone
from services.cli.stack import Plan, Stack, brought_up
from services.cli.texts import tr
from shared.kafka.producing import open_producer
from shared.postgres.connecting import Connection
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.infrastructure import Addresses
from shared.runtime.infrastructure.interface import Providers

# How far ahead the opening stock looks when no end is given.
OPEN_END_SECONDS = 300.0
OPENING_SECONDS = 60.0
SEED = 367
ORDERS_A_SECOND = 100


class Demo:
    """A run on servers that are up; `folder` is where it keeps its logs and where it stopped."""

    def __init__(
        self,
        options: Options,
        folder: Path,
        addresses: Addresses,
        providers: Providers,
        spawn: Spawn = start_alone,
    ) -> None:
        self._options = options
        self._folder = folder
        self._addresses = addresses
        self._providers = providers
        self._spawn = spawn
        self._clock = SystemClock()
        self._run = new_id()[:8]

    async def run(self, scenario: Scenario) -> Exit:
        """Bring up, open, replay, check. Raises CommandError when a part does not come to rest."""
        progress = keeping.read(self._folder) if self._options.keep else keeping.Progress()
        # A kept run meets new simulators: their numbers must not be those of orders that we have.
        shops = make_shops(
            scenario.channels, first_order=int(self._clock.now().timestamp()) * ORDERS_A_SECOND
        )
        plan = Plan(
            kind="demo",
            folder=self._folder,
            services=SERVICES,
            beside=[shop.simulator() for shop in shops.values()],
            environment=environment_of(shops),
        )
        if not self._options.keep and "given" in self._providers.values():
            await reopening.use_up(self._addresses)
        async with (
            brought_up(plan, self._addresses, self._providers, say, self._spawn) as stack,
            AsyncExitStack() as resources,
        ):
            course = await self._open(scenario, progress, shops, stack, resources)
            say(block(stack))
            if "mirakl" in shops:
                say(
                    tr(
                        "The marketplace's clock runs {marketplace_speed:.0f} times as fast as "
                        "usual.",
                        marketplace_speed=MARKETPLACE_SPEED,
                    )
                )
            # Only now: until here Ctrl-C ends everything at once, from here on it ends the replay.
            await course.replay_until(closing_on_signals())
            return await course.conclude()

    async def _open(
        self,
        scenario: Scenario,
        progress: keeping.Progress,
        shops: dict[str, Shop],
        stack: Stack,
        resources: AsyncExitStack,
    ) -> Course:
        kafka, ingestion = self._addresses.kafka, f"http://127.0.0.1:{stack.ports['ingestion']}"
        connection = await asyncpg.connect(self._addresses.postgres, timeout=10)
        resources.push_async_callback(connection.close)
        redis = Redis.from_url(self._addresses.redis)
        resources.push_async_callback(redis.aclose)
        for shop in shops.values():
            resources.push_async_callback(shop.close)
        quiet = Quiet(kafka, connection, self._clock)
        await quiet.open()
        resources.push_async_callback(quiet.close)
        stage = await self._stage(scenario, progress.next_line, shops, ingestion, resources)
        await self._open_world(scenario, stage, connection if progress.is_open else None)
        require_quiet(await quiet.wait(OPENING_SECONDS), "The opening")
        keeping.write(self._folder, keeping.Progress(progress.next_line, is_open=True))
        for shop in shops.values():
            await shop.subscribe(ingestion)
        world, on_hand = stage.world, stage.shelves.on_hand
        watch = Watch(kafka, shops, world.entries)
        await watch.open(on_hand)
        resources.push_async_callback(watch.close)
        replay, crowd = scenario.play(stage)
        checker = Checker(
            connection=connection, redis=redis, kafka=kafka, shops=shops, entries=world.entries,
            shelves=on_hand, earlier=await known_orders(connection),
        )  # fmt: skip
        return Course(
            options=self._options, folder=self._folder, providers=self._providers,
            clock=self._clock, shelves=stage.shelves, watch=watch, replay=replay, crowd=crowd,
            quiet=quiet, checker=checker,
            warehouse=Warehouse(kafka, stage.bench, stage.teller, self._clock),
            counts_at_start=await count_now(connection),
            returned_at_start=await returned_units(connection),
        )  # fmt: skip

    async def _stage(
        self,
        scenario: Scenario,
        next_line: int,
        shops: dict[str, Shop],
        ingestion: str,
        resources: AsyncExitStack,
    ) -> Stage:
        producer = await open_producer(self._addresses.kafka)
        resources.push_async_callback(producer.stop)
        teller = Teller(ingestion, WAREHOUSE, self._run)
        resources.push_async_callback(teller.close)
        span = (self._options.seconds or OPEN_END_SECONDS) * self._options.speed
        shelves = Shelves()
        chance = random.Random(SEED)  # noqa: S311  (what a picker finds is no secret)
        bench = Bench(shelves, chance, self._run, returned_share=scenario.returned_share)
        return Stage(
            clock=self._clock, world=scenario.world(span), shops=shops, shelves=shelves,
            bench=bench, sender=Sender(producer, self._run), teller=teller,
            speed=self._options.speed, next_line=next_line,
        )  # fmt: skip

    async def _open_world(self, scenario: Scenario, stage: Stage, kept: Connection | None) -> None:
        """What lies on the shelves; from the books of the last run where that is kept."""
        if kept is not None:
            await _fill_again(kept, stage)
            stage.shelves.on_hand.update(await reopening.on_hand(kept))
            return
        await self._fill(stage)
        stage.shelves.on_hand.update(stage.world.openings)
        await scenario.open(stage)

    async def _fill(self, stage: Stage) -> None:
        world, now = stage.world, self._clock.now()
        for shop in stage.shops.values():
            await shop.fill((entry, sku, 0) for sku, entry in world.entries.items())
        await stage.sender.records(reference_data(world, stage.shops.values()), now)
        await stage.sender.openings(opening_movements(world, now), now)


async def _fill_again(connection: Connection, stage: Stage) -> None:
    """As the shops showed it last: their simulators forget, shops don't."""
    for channel, shop in stage.shops.items():
        await shop.fill(await reopening.last_shown(connection, channel, stage.world.entries))
