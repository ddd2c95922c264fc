"""The watch: reads the log of movements and the shops' calls while the demo runs.

It keeps its own figures by the formula, so that it can say when a shop shows an event.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.cli.demo.formula import Level, available_to_sell
from services.cli.demo.kafka_reading import MOVEMENTS, partitions_of
from services.cli.demo.propagation import Propagation
from services.cli.demo.shops import Call, Shop
from services.cli.demo.world import Place
from shared.contracts.accounts import OWN, Bucket
from shared.contracts.movements import StockMovement, accounts_of

POLL_MS = 20
RECORDS_MAX = 5_000


@dataclass(slots=True)
class Figures:
    """What is where by the log, and what the web shop should show of it."""

    levels: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    shown: dict[str, int] = field(default_factory=dict)

    def open_with(self, stock: Mapping[Place, int]) -> None:
        """Begin with what lies where."""
        for (sku, location), units in stock.items():
            self.levels[sku][location] = units
        self.shown = {sku: self._figure(sku) for sku in self.levels}

    def apply(self, movement: StockMovement) -> tuple[int, int]:
        """Apply a movement; returns what should be shown before and after it."""
        sku = movement.sku
        before = self.shown.get(sku, 0)
        places = self.levels[sku]
        for account, sign in zip(accounts_of(movement), (-1, 1), strict=True):
            if account.bucket is Bucket.SELLABLE and account.owner == OWN:
                units = places.get(account.location, 0)
                places[account.location] = units + sign * movement.quantity
        after = self.shown[sku] = self._figure(sku)
        return before, after

    def lowest(self, count: int) -> list[tuple[str, int]]:
        """The SKUs with the least left to sell, those with nothing left apart."""
        left = sorted((n, sku) for sku, n in self.shown.items() if n > 0)
        return [(sku, n) for n, sku in left[:count]]

    def _figure(self, sku: str) -> int:
        return available_to_sell(Level(units) for units in self.levels[sku].values())


@dataclass(slots=True)
class ShopBook:
    """What one shop was told: items acknowledged, and which entries went from something to 0."""

    items: int = 0
    shown: dict[int, int] = field(default_factory=dict)
    sold_out: set[int] = field(default_factory=set)

    def note(self, call: Call) -> None:
        """One quantity written."""
        self.items += 1
        if call.value == 0 and self.shown.get(call.entry, 0) > 0:
            self.sold_out.add(call.entry)
        self.shown[call.entry] = call.value


class Watch:
    """Open it when the opening is done and quiet; then `look` again and again, and once at last."""

    def __init__(self, servers: str, shops: Mapping[str, Shop], entries: Mapping[str, int]) -> None:
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest"
        )
        self._shops = shops
        self._skus = {entry: sku for sku, entry in entries.items()}
        self._partitions: list[TopicPartition] = []
        self.figures = Figures()
        self.books = {channel: ShopBook() for channel in shops}
        self.propagation = {channel: Propagation() for channel in shops}
        self.movements = 0

    async def open(self, stock: Mapping[Place, int]) -> None:
        """Begin at the log's present end, with what lies where by then."""
        self.figures.open_with(stock)
        await self._consumer.start()
        self._partitions = partitions_of([MOVEMENTS])
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_end(*self._partitions)
        for one in self._partitions:
            await self._consumer.position(one)
        for channel, shop in self._shops.items():
            for call in await shop.new_calls():  # the opening wave counts as told, not as measured
                self.books[channel].note(call)

    async def close(self) -> None:
        """Leave Kafka."""
        await self._consumer.stop()

    async def look(self) -> None:
        """Take in the calls that have come, after the events that stood in the log by then."""
        calls = {channel: await shop.new_calls() for channel, shop in self._shops.items()}
        ends = await self._consumer.end_offsets(self._partitions)
        while any([await self._consumer.position(one) < end for one, end in ends.items()]):
            found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for batch in found.values():
                self._take_in(batch)
        for channel, came in calls.items():
            for call in came:
                self.books[channel].note(call)
                if (sku := self._skus.get(call.entry)) is not None:
                    self.propagation[channel].call(sku, call.arrived_us, call.value)

    def _take_in(self, batch: Iterable[Any]) -> None:
        for message in batch:
            self.movements += 1
            movement = StockMovement.decode(message.value)
            before, after = self.figures.apply(movement)
            for propagation in self.propagation.values():
                propagation.event(movement.sku, message.timestamp * 1000, before, after)
