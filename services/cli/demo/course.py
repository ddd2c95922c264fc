"""The course of a run from the opening to the verdict: replay and watch, quiet, check, report."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from services.cli.console import console, say
from services.cli.demo import keeping
from services.cli.demo.checker import Checker, Verdict
from services.cli.demo.options import Options
from services.cli.demo.orders_checking import Parcels
from services.cli.demo.quiet import Quiet
from services.cli.demo.report import (
    Report,
    invariants_of,
    propagation_of,
    summary,
    write_report,
)
from services.cli.demo.repository.counting import Counts, count_now
from services.cli.demo.scenario import Customers, Replaying
from services.cli.demo.screen import Picture, Screen
from services.cli.demo.shelves import Shelves
from services.cli.demo.warehouse import Warehouse
from services.cli.demo.watch import Watch
from services.cli.exits import Exit
from services.cli.texts import tr
from shared.runtime.clock import Clock
from shared.runtime.infrastructure.interface import Providers
from shared.runtime.waiting import wait_for_event

QUIET_SECONDS = 60.0
HEARD_LOOKS = 50
PARCELS_SECONDS = 15.0
LOOK_SECONDS = 0.4
COUNT_LOOKS = 3
RATE_LOOKS = 8


@dataclass(slots=True, kw_only=True)
class Course:
    """What lives from the opening to the verdict."""

    options: Options
    folder: Path
    providers: Providers
    clock: Clock
    shelves: Shelves
    watch: Watch
    replay: Replaying
    crowd: Customers
    warehouse: Warehouse
    quiet: Quiet
    checker: Checker
    counts_at_start: Counts
    returned_at_start: Mapping[str, int]
    seconds: float = 0.0
    start_seconds: float = 0.0

    async def replay_until(self, closing: asyncio.Event) -> None:
        """Replay and watch side by side; the watch ends with the replay, and so do purchases."""
        self.start_seconds = self.clock.monotonic() - self.options.began
        await self.warehouse.start()
        self.crowd.start()
        replaying = asyncio.create_task(self.replay.run(closing, self.options.seconds))
        try:
            with Screen(console()) as screen:
                await self._watch(replaying, screen)
        finally:
            closing.set()  # a watch that failed must not leave the replay running
            self.seconds = await replaying
            await self.crowd.stop()

    async def _watch(self, replaying: "asyncio.Task[float]", screen: Screen) -> None:
        began = self.clock.monotonic()
        before: list[tuple[float, int, int]] = []
        counts, looks = self.counts_at_start, 0
        pause = asyncio.Event()
        replaying.add_done_callback(lambda _: pause.set())
        while not replaying.done() and not self.warehouse.is_over:
            await self.watch.look()
            now = self.clock.monotonic() - began
            items = sum(book.items for book in self.watch.books.values())
            before = [*before, (now, self.replay.tally.sales, items)][-RATE_LOOKS:]
            if looks % COUNT_LOOKS == 0:
                counts = await count_now(self.checker.connection)
            looks += 1
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
            bought=self.crowd.bought(),
            published={name: book.items for name, book in self.watch.books.items()},
            published_per_second=(items - items_then) / span,
            latencies={n: p.latencies(2_000) for n, p in self.watch.propagation.items()},
            lowest=self.watch.figures.lowest(8),
            sold_out=self._sold_out(),
            refused=self.crowd.refused,
            sent_units=sum(self.warehouse.bench.sent_units().values()),
            returns=self.warehouse.bench.returns,
            short_lines=counts.short_lines,
            parked=counts.parked,
            oversold_units=self.watch.overselling.units,
        )

    async def conclude(self) -> Exit:
        """Wait until everything is quiet, check, report; the status says whether all holds."""
        say(tr("The replay has ended; waiting until everything is quiet."))
        await self._hear_orders()
        await self.warehouse.stop(PARCELS_SECONDS)
        waiting = await self.quiet.wait(QUIET_SECONDS)
        await self.watch.look()
        keeping.write(self.folder, keeping.Progress(self.replay.tally.next_line, is_open=True))
        bench = self.warehouse.bench
        self.checker.parcels = Parcels(
            sent=bench.sent_units(),
            graded={
                name: bench.graded[name] + self.returned_at_start.get(name, 0)
                for name in {*bench.graded, *self.returned_at_start}
            },
        )
        verdicts = await self.checker.check()
        if waiting:
            told = ", ".join(f"{name} {count}" for name, count in waiting.items())
            verdicts.append(Verdict(name="came_to_rest", evidence=[f"still waiting: {told}"]))
        report = await self._report(verdicts)
        for line in summary(report, verdicts):
            say(line)
        if self.options.report is not None:
            write_report(self.options.report, report)
            say(tr("Report: {report}", report=self.options.report))
        return Exit.OK if report.all_hold else Exit.FAILED

    async def _hear_orders(self) -> None:
        """Wait until the shops' last orders are ours; what is missing still, the checker tells."""
        for _ in range(HEARD_LOOKS):
            if not await self.checker.orders().unheard():
                return
            await asyncio.sleep(LOOK_SECONDS)

    async def _report(self, verdicts: list[Verdict]) -> Report:
        counts, start = await count_now(self.checker.connection), self.counts_at_start
        bench, overselling = self.warehouse.bench, self.watch.overselling
        return Report(
            source=self.options.source,
            seconds=round(self.seconds, 2),
            start_seconds=round(self.start_seconds, 2),
            providers={str(part): provider for part, provider in self.providers.items()},
            openings=counts.openings,
            movements=counts.movements - start.movements,
            sales=self.replay.tally.sales,
            orders=counts.orders - start.orders,
            returns=counts.returns - start.returns,
            publications={name: book.items for name, book in self.watch.books.items()},
            propagation_ms=propagation_of(self.watch.latencies()),
            propagation_by_channel_ms={
                name: propagation_of(one.latencies())
                for name, one in self.watch.propagation.items()
            },
            ordered_units=overselling.ordered_units,
            oversold_units=overselling.units,
            oversold_causes=overselling.causes(),
            sold_out_listings=self._sold_out(),
            refused_orders=self.crowd.refused,
            short_lines=counts.short_lines,
            short_picks=bench.short_picks,
            lost_units=self.shelves.lost_units,
            parked=counts.parked,
            invariants=invariants_of(verdicts),
        )

    def _sold_out(self) -> int:
        return sum(len(book.sold_out) for book in self.watch.books.values())
