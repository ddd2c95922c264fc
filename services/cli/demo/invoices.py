"""The second scenario: a retailer's invoices and cancellations, through one web shop.

Its customers are the file's: they order over the shop's own HTTP what it shows, and what they
cancel is refunded there and sent back, once it was sent to them.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.cli.demo.online_retail import Line, Paper, Receipt, Retail
from services.cli.demo.picking import LineKey
from services.cli.demo.replay import Tally
from services.cli.demo.scenario import Customers, Replaying, Stage
from services.cli.demo.shops.woocommerce import Purchase, WooShop
from services.cli.demo.telling import Telling
from services.cli.demo.world import World
from shared.runtime.waiting import wait_for_event

CHANNEL = "woocommerce"
SPEED = 20_000
TICK_SECONDS = 0.02
EVENTS_A_CALL = 500

Event = Receipt | Paper


@dataclass(slots=True)
class _Kept:
    """A line that a customer has bought; `units` of it were not sent back yet."""

    purchase: Purchase
    line: int
    units: int


@dataclass(slots=True)
class Fates:
    """What became of what the file asks for, beside what was bought."""

    orders: int = 0
    refused: int = 0
    short_lines: int = 0
    returned_units: int = 0
    unmatched_units: int = 0
    waiting: Counter[LineKey] = field(default_factory=Counter)


class Invoices:
    """The file, as a scenario."""

    channels: Sequence[str] = (CHANNEL,)
    returned_share = 0.0  # the file says what comes back

    def __init__(self, retail: Retail) -> None:
        self._retail = retail
        self.notes: Sequence[str] = retail.summary()

    def world(self, span_seconds: float) -> World:
        """One warehouse, and nothing in it: the file has no opening stock."""
        del span_seconds
        entries = {article.sku: n for n, article in enumerate(self._retail.articles, start=1)}
        return World(articles=self._retail.articles, stores=(), entries=entries, openings={})

    async def open(self, stage: Stage) -> None:
        """The first week's receipt, before anybody looks at the shop."""
        await _receive(stage, self._retail.receipts[0])

    def play(self, stage: Stage) -> tuple[Replaying, Customers]:
        """The papers in order of time, and the receipts of later Mondays before them."""
        replay = InvoiceReplay(self._retail, stage)
        return replay, replay


class InvoiceReplay:
    """Replays papers one after the other, each when its moment comes."""

    def __init__(self, retail: Retail, stage: Stage) -> None:
        shop = stage.shops[CHANNEL]
        assert isinstance(shop, WooShop), shop
        self._shop = shop
        self._stage = stage
        # Receipts come first within a second; the first of all was the opening.
        events: list[Event] = [*retail.receipts[1:], *retail.papers]
        self._events = sorted(events, key=lambda event: event.second)
        self._bought: dict[tuple[str, str], list[_Kept]] = defaultdict(list)
        self.fates = Fates()
        self.tally = Tally(next_line=stage.next_line)

    async def run(self, closing: asyncio.Event, seconds: float | None) -> float:
        """See `Replaying`. A shop that answers slowly holds the replay up."""
        events, tally, clock = self._events, self.tally, self._stage.clock
        if tally.next_line >= len(events):
            return 0.0
        first = events[tally.next_line].second
        began, elapsed = clock.monotonic(), 0.0
        while not closing.is_set() and tally.next_line < len(events):
            elapsed = clock.monotonic() - began
            if seconds is not None and elapsed >= seconds:
                break
            event = events[tally.next_line]
            if event.second - first > elapsed * self._stage.speed:
                self._send_back()
                await wait_for_event(closing, TICK_SECONDS)
                continue
            tally.next_line += 1
            await self._play(event)
        return elapsed

    def start(self) -> None:
        """Its customers come with the papers."""

    async def stop(self) -> None:
        """They have gone with them; what was sent by now may still come back."""
        self._send_back()

    def bought(self) -> Mapping[str, int]:
        """Orders that the shop has accepted."""
        return {CHANNEL: self.fates.orders}

    @property
    def refused(self) -> int:
        """Orders of which the shop had nothing at all."""
        return self.fates.refused

    async def _play(self, event: Event) -> None:
        if isinstance(event, Receipt):
            await _receive(self._stage, event)
        elif event.kind == "invoice":
            await self._order(event)
        elif event.kind == "cancellation":
            await self._cancel(event)
        else:
            await self._write_off(event)

    async def _order(self, paper: Paper) -> None:
        """The whole order; where the shop refuses it, what it shows of it."""
        lines = paper.lines
        purchase = await self._shop.order(self._cart(lines))
        if purchase is None:
            lines = await self._shown(lines)
            purchase = await self._shop.order(self._cart(lines)) if lines else None
        if purchase is None:
            self.fates.refused += 1
            return
        self.fates.orders += 1
        for line, line_id in zip(lines, purchase.lines, strict=True):
            kept = _Kept(purchase, line_id, line.units)
            self._bought[paper.customer, line.code].append(kept)

    def _cart(self, lines: Sequence[Line]) -> list[tuple[int, int]]:
        return [(self._stage.world.entries[line.code], line.units) for line in lines]

    async def _shown(self, lines: Sequence[Line]) -> list[Line]:
        """What a customer takes of what there is; the rest is asked for in vain."""
        entries, shelves = self._stage.world.entries, self._stage.shelves
        shown = await self._shop.shown(sorted({entries[line.code] for line in lines}))
        taken: list[Line] = []
        for line in lines:
            entry = entries[line.code]
            units = max(0, min(line.units, shown.get(entry, 0)))
            shown[entry] = shown.get(entry, 0) - units
            shelves.lost_units += line.units - units
            self.fates.short_lines += units < line.units
            if units:
                taken.append(Line(line.number, line.code, units))
        return taken

    async def _cancel(self, paper: Paper) -> None:
        """Refunds of what this customer has bought, the latest first. What he has bought before
        the file begins, or never got, cannot come back to us.
        """
        for line in paper.lines:
            left = line.units
            for kept in reversed(self._bought[paper.customer, line.code]):
                units = min(left, kept.units)
                if units:
                    await self._shop.refund(kept.purchase, kept.line, units)
                    kept.units -= units
                    left -= units
                    self.fates.waiting[kept.purchase.order_id, str(kept.line)] += units
            self.fates.unmatched_units += left

    def _send_back(self) -> None:
        """What was refunded goes on its way as far as it has arrived."""
        claims, waiting = self._stage.bench.claims, self.fates.waiting
        for key, units in list(waiting.items()):
            claim = claims.get(key)
            if claim is not None and claim.returnable >= units:
                del waiting[key]
                self.fates.returned_units += units
                self._stage.bench.send_back(key, units)

    async def _write_off(self, paper: Paper) -> None:
        bench, at = self._stage.bench, self._stage.clock.now()
        told = [one for line in paper.lines for one in bench.write_off(line.code, line.units, at)]
        await self._stage.teller.tell(told, at)


async def _receive(stage: Stage, receipt: Receipt) -> None:
    at = stage.clock.now()
    told: list[Telling] = [stage.bench.receive(sku, n, at) for sku, n in receipt.units.items()]
    for start in range(0, len(told), EVENTS_A_CALL):
        await stage.teller.tell(told[start : start + EVENTS_A_CALL], at)
