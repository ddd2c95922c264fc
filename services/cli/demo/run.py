"""One run of the demo: the world, the opening, the replay, the quiet after it, and the verdict."""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from redis.asyncio import Redis

from services.cli.commands.running import block, closing_on_signals
from services.cli.console import console, say
from services.cli.demo import keeping
from services.cli.demo.checker import Checker, Verdict
from services.cli.demo.quiet import Quiet, require_quiet
from services.cli.demo.replay import Replay
from services.cli.demo.report import (
    Report,
    invariants_of,
    propagation_of,
    summary,
    write_report,
)
from services.cli.demo.repository.counting import Counts, count_now
from services.cli.demo.sales import SOURCE, Sales
from services.cli.demo.screen import Picture, Screen
from services.cli.demo.sending import Sender
from services.cli.demo.shelves import Shelves
from services.cli.demo.shops import Shop, publication_settings, simulator
from services.cli.demo.watch import Watch
from services.cli.demo.world import (
    WEBSHOP,
    World,
    make_world,
    opening_movements,
    reference_data,
)
from services.cli.exits import Exit
from services.cli.registry import SERVICES
from services.cli.stack import Plan, Stack, brought_up, ports_for
from shared.kafka.producing import open_producer
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.infrastructure import Addresses
from shared.runtime.infrastructure.interface import Providers
from shared.runtime.waiting import wait_for_event

# How far ahead the opening stock looks when no end is given.
OPEN_END_SECONDS = 300.0
OPENING_SECONDS = 60.0
QUIET_SECONDS = 60.0
LOOK_SECONDS = 0.4
RATE_LOOKS = 8
SHOP_PORT = 8790


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What was asked for; `began` is the monotonic moment of the command itself."""

    seconds: float | None
    report: Path | None
    speed: float
    keep: bool
    began: float


class Demo:
    """A run on servers that are up; `folder` is where it keeps its logs and where it stopped."""

    def __init__(
        self, options: Options, folder: Path, addresses: Addresses, providers: Providers
    ) -> None:
        self._options = options
        self._folder = folder
        self._addresses = addresses
        self._providers = providers
        self._clock = SystemClock()

    async def run(self, sales: Sales) -> Exit:
        """Bring up, open, replay, check. Raises CommandError when a part does not come to rest."""
        progress = keeping.read(self._folder) if self._options.keep else keeping.Progress()
        port = ports_for({"shop": SHOP_PORT})["shop"]
        url = f"http://127.0.0.1:{port}"
        plan = Plan(
            kind="demo",
            folder=self._folder,
            services=SERVICES,
            beside=[simulator(WEBSHOP, port)],
            environment=publication_settings({WEBSHOP: url}),
        )
        if not self._options.keep and "given" in self._providers.values():
            await keeping.use_up(self._addresses)
        async with (
            brought_up(plan, self._addresses, self._providers, say) as stack,
            AsyncExitStack() as resources,
        ):
            run = await self._open(sales, progress, url, resources)
            say(block(stack))
            # Only now: until here Ctrl-C ends everything at once, from here on it ends the replay.
            await run.replay_until(closing_on_signals())
            return await run.conclude(stack)

    async def _open(
        self, sales: Sales, progress: keeping.Progress, url: str, resources: AsyncExitStack
    ) -> "_Run":
        connection = await asyncpg.connect(self._addresses.postgres, timeout=10)
        resources.push_async_callback(connection.close)
        redis = Redis.from_url(self._addresses.redis)
        resources.push_async_callback(redis.aclose)
        producer = await open_producer(self._addresses.kafka)
        resources.push_async_callback(producer.stop)
        shop = Shop(url)
        resources.push_async_callback(shop.close)
        quiet = Quiet(self._addresses.kafka, connection, self._clock)
        await quiet.open()
        resources.push_async_callback(quiet.close)
        span = (self._options.seconds or OPEN_END_SECONDS) * self._options.speed
        world = make_world(sales, sales.span(span))
        sender = Sender(producer, new_id()[:8])
        shelves = Shelves()
        if progress.is_open:
            await shop.fill(await keeping.last_shown(connection, world.entries))
            shelves.on_hand.update(await keeping.on_hand(connection))
        else:
            await shop.fill((entry, sku, 0) for sku, entry in world.entries.items())
            now = self._clock.now()
            await sender.records(reference_data(world), now)
            await sender.openings(opening_movements(world, now), now)
            shelves.on_hand.update(world.openings)
        require_quiet(await quiet.wait(OPENING_SECONDS), "The opening")
        keeping.write(self._folder, keeping.Progress(progress.next_line, is_open=True))
        watch = Watch(self._addresses.kafka, {WEBSHOP: shop}, world.entries)
        await watch.open(shelves.on_hand)
        resources.push_async_callback(watch.close)
        replay = Replay(
            sales.lines, shelves, sender, self._clock, began_at=sales.began_at,
            speed=self._options.speed,
        )  # fmt: skip
        replay.tally.next_line = progress.next_line
        checker = Checker(
            connection=connection, redis=redis, kafka=self._addresses.kafka,
            shops={WEBSHOP: shop}, entries=world.entries, shelves=shelves.on_hand,
        )  # fmt: skip
        return _Run(
            options=self._options, folder=self._folder, providers=self._providers,
            clock=self._clock, world=world, shelves=shelves, watch=watch, replay=replay,
            quiet=quiet, checker=checker, counts_at_start=await count_now(connection),
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Run:
    """What lives from the opening to the verdict."""

    options: Options
    folder: Path
    providers: Providers
    clock: SystemClock
    world: World
    shelves: Shelves
    watch: Watch
    replay: Replay
    quiet: Quiet
    checker: Checker
    counts_at_start: Counts
    seconds: float = 0.0
    start_seconds: float = 0.0

    async def replay_until(self, closing: asyncio.Event) -> None:
        """Replay and watch side by side; the watch ends with the replay."""
        self.start_seconds = self.clock.monotonic() - self.options.began
        replaying = asyncio.create_task(self.replay.run(closing, self.options.seconds))
        try:
            with Screen(console()) as screen:
                await self._watch(replaying, screen)
        finally:
            closing.set()  # a watch that failed must not leave the replay running
            self.seconds = await replaying

    async def _watch(self, replaying: "asyncio.Task[float]", screen: Screen) -> None:
        began = self.clock.monotonic()
        before: list[tuple[float, int, int]] = []
        pause = asyncio.Event()
        replaying.add_done_callback(lambda _: pause.set())
        while not replaying.done():
            await self.watch.look()
            now = self.clock.monotonic() - began
            items = sum(book.items for book in self.watch.books.values())
            before = [*before, (now, self.replay.tally.sales, items)][-RATE_LOOKS:]
            counts = await count_now(self.checker.connection)
            screen.show(self._picture(before, counts))
            await wait_for_event(pause, LOOK_SECONDS)

    def _picture(self, before: list[tuple[float, int, int]], counts: Counts) -> Picture:
        (then, sales_then, items_then), (now, sales, items) = before[0], before[-1]
        span = max(now - then, 0.001)
        return Picture(
            seconds=now,
            sales=sales,
            sales_per_second=(sales - sales_then) / span,
            movements=self.watch.movements,
            lost_units=self.shelves.lost_units,
            published={name: book.items for name, book in self.watch.books.items()},
            published_per_second=(items - items_then) / span,
            latencies={n: p.latencies(2_000) for n, p in self.watch.propagation.items()},
            lowest=self.watch.figures.lowest(8),
            sold_out=self._sold_out(),
            refused=0,
            short_lines=counts.short_lines,
            parked=counts.parked,
            oversold_units=counts.oversold_units,
        )

    async def conclude(self, stack: Stack) -> Exit:
        """Wait until everything is quiet, check, report; the status says whether all holds."""
        del stack
        say("The replay has ended; waiting until everything is quiet.")
        waiting = await self.quiet.wait(QUIET_SECONDS)
        await self.watch.look()
        keeping.write(self.folder, keeping.Progress(self.replay.tally.next_line, is_open=True))
        verdicts = await self.checker.check()
        if waiting:
            told = ", ".join(f"{name} {count}" for name, count in waiting.items())
            verdicts.append(Verdict(name="came_to_rest", evidence=[f"still waiting: {told}"]))
        report = await self._report(verdicts)
        for line in summary(report, verdicts):
            say(line)
        if self.options.report is not None:
            write_report(self.options.report, report)
            say(f"Report: {self.options.report}")
        return Exit.OK if report.all_hold else Exit.FAILED

    async def _report(self, verdicts: list[Verdict]) -> Report:
        counts = await count_now(self.checker.connection)
        books = await self.checker.books()
        latencies = self.watch.propagation[WEBSHOP].latencies()
        return Report(
            source=SOURCE,
            seconds=round(self.seconds, 2),
            start_seconds=round(self.start_seconds, 2),
            providers={str(part): provider for part, provider in self.providers.items()},
            openings=counts.openings,
            movements=counts.movements - self.counts_at_start.movements,
            sales=self.replay.tally.sales,
            orders=counts.orders,
            returns=counts.returns,
            publications=self._published(),
            propagation_ms=propagation_of(latencies),
            ordered_units=counts.ordered_units,
            oversold_units=books.oversold_units(),
            sold_out_listings=self._sold_out(),
            short_lines=counts.short_lines,
            lost_units=self.shelves.lost_units,
            parked=counts.parked,
            invariants=invariants_of(verdicts),
        )

    def _published(self) -> Mapping[str, int]:
        return {name: book.items for name, book in self.watch.books.items()}

    def _sold_out(self) -> int:
        return sum(len(book.sold_out) for book in self.watch.books.values())
