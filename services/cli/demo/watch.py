"""The watch: reads the logs of movements and of order lines, and the shops' calls, meanwhile.

It keeps its own figures by the formula, so that it can say when a shop shows an event.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition

from services.cli.demo.figures import Figures
from services.cli.demo.kafka_reading import MOVEMENTS, partitions_of
from services.cli.demo.overselling import Overselling
from services.cli.demo.propagation import Latencies, Propagation, latencies_of
from services.cli.demo.shops import Call, Shop
from services.cli.demo.world import Place
from shared.contracts.accounts import MovementType
from shared.contracts.allocations import Allocation
from shared.contracts.movements import StockMovement
from shared.contracts.topics import ALLOCATIONS

POLL_MS = 20
RECORDS_MAX = 5_000


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
        self._partitions = partitions_of([MOVEMENTS, ALLOCATIONS.name])
        self.figures = Figures()
        self.overselling = Overselling()
        self.books = {channel: ShopBook() for channel in shops}
        self.propagation = {channel: Propagation() for channel in shops}
        self.movements = 0

    async def open(self, stock: Mapping[Place, int]) -> None:
        """Begin at the logs' present ends, with what lies where by then, and what is claimed."""
        await self._consumer.start()
        lines = [one for one in self._partitions if one.topic == ALLOCATIONS.name]
        self._consumer.assign(self._partitions)
        await self._consumer.seek_to_beginning(*lines)
        await self._consumer.seek_to_end(*(set(self._partitions) - set(lines)))
        for one in self._partitions:
            await self._consumer.position(one)
        for message in await self._read_on():
            if isinstance(told := _decoded(message), Allocation):
                self.figures.claim(told)
        self.figures.open_with(stock)
        for channel, shop in self._shops.items():
            for call in await shop.new_calls():  # the opening wave counts as told, not as measured
                self.books[channel].note(call)

    async def close(self) -> None:
        """Leave Kafka."""
        await self._consumer.stop()

    async def look(self) -> None:
        """Take in the calls that have come, after the events that stood in the logs by then."""
        calls = {channel: await shop.new_calls() for channel, shop in self._shops.items()}
        self._take_in(await self._read_on())
        for channel, came in calls.items():
            for call in came:
                self.books[channel].note(call)
                if (sku := self._skus.get(call.entry)) is not None:
                    self.propagation[channel].call(sku, call.arrived_us, call.value)

    def latencies(self) -> Latencies:
        """Over all shops but those whose protocol waits between two calls."""
        return latencies_of(
            [
                measured
                for channel, propagation in self.propagation.items()
                if not self._shops[channel].is_paced
                for measured in propagation.measured_us
            ]
        )

    async def _read_on(self) -> list[Any]:
        """What stands in the logs by now and was not read yet, in order of the broker's time."""
        ends: dict[TopicPartition, int] = await self._consumer.end_offsets(self._partitions)
        messages: list[Any] = []
        while any([await self._consumer.position(one) < end for one, end in ends.items()]):
            found = await self._consumer.getmany(timeout_ms=POLL_MS, max_records=RECORDS_MAX)
            for batch in found.values():
                messages += batch
        return sorted(messages, key=lambda message: int(message.timestamp))

    def _take_in(self, messages: Iterable[Any]) -> None:
        for message in messages:
            told, at_us = _decoded(message), message.timestamp * 1000
            if isinstance(told, StockMovement):
                self.movements += 1
                before, after = self.figures.move(told)
                if told.type is MovementType.SALE:
                    self.overselling.sold(told.sku, at_us)
            else:
                is_first = (told.order_id, told.line_id) not in self.figures.lines
                before, after = self.figures.claim(told)
                if is_first:
                    free = self.figures.free(told.sku, told)
                    self.overselling.answered(told, free, at_us)
            for propagation in self.propagation.values():
                propagation.event(
                    told.sku, at_us, before, after, is_measured=isinstance(told, StockMovement)
                )


def _decoded(message: Any) -> StockMovement | Allocation:
    if message.topic == MOVEMENTS:
        return StockMovement.decode(message.value)
    told = ALLOCATIONS.decode(message.value)
    assert isinstance(told, Allocation), told
    return told
