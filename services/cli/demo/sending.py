"""What the demo tells Kafka: reference data, and movements as the tills and the warehouse do."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from aiokafka import AIOKafkaProducer

from services.cli.demo.sales import Line
from services.cli.demo.shelves import Move
from services.cli.demo.world import OPENING, WAREHOUSE, till_of
from shared.contracts.accounts import MovementType
from shared.contracts.cloudevents import headers_for
from shared.contracts.movements import StockMovement
from shared.contracts.records import Message
from shared.contracts.references import Document
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS, Topic
from shared.kafka.producing import Outgoing, send_all

CHUNK = 2_000
PAPERS = {
    MovementType.RECEIPT: "goods_receipt",
    MovementType.TRANSFER_DISPATCH: "dispatch_note",
    MovementType.TRANSFER_RECEIPT: "transfer_receipt",
}


@dataclass(slots=True)
class Told:
    """How many messages the demo has sent, by topic."""

    by_topic: dict[str, int] = field(default_factory=dict)


class Sender:
    """Sends CloudEvents in whole batches; the ids are those of the facts, so a retry is no twin."""

    def __init__(self, producer: AIOKafkaProducer, run: str) -> None:
        self._producer = producer
        self._run = run
        self._count = 0
        self.told = Told()

    async def records(self, records: Iterable[Message], at: datetime) -> None:
        """Reference data, in order."""
        await self._send(REFERENCE_DATA, (("demo/catalogue", record) for record in records), at)

    async def openings(self, movements: Iterable[StockMovement], at: datetime) -> None:
        """The switch-over."""
        await self._send(STOCK_MOVEMENTS, ((OPENING, movement) for movement in movements), at)

    async def sales(self, sold: Iterable[tuple[Line, int]], began_at: str, at: datetime) -> None:
        """Basket lines with the units that were sold. `occurred_at` is now, when the till tells
        it; the basket's own time stands in the number of its ticket.
        """
        told = ((till_of(line.store), _sale(line, units, began_at, at)) for line, units in sold)
        await self._send(STOCK_MOVEMENTS, told, at)

    async def moves(self, moves: Iterable[Move], at: datetime) -> None:
        """The warehouse's receipts and transfers."""
        told = ((WAREHOUSE, _movement(move, at)) for move in moves)
        await self._send(STOCK_MOVEMENTS, told, at)

    async def _send(self, topic: Topic, told: Iterable[tuple[str, Message]], at: datetime) -> None:
        chunk: list[Outgoing] = []
        for source, message in told:
            self._count += 1
            headers = headers_for(
                id_=f"{self._run}-{self._count}", source=source, type_=topic.ce_type, time=at
            )
            chunk.append(
                Outgoing(
                    topic=topic.name, partition=topic.partition_of(message), key=message.key(),
                    value=message.encode(), headers=headers,
                )
            )  # fmt: skip
            if len(chunk) == CHUNK:
                await self._flush(topic, chunk)
                chunk = []
        if chunk:
            await self._flush(topic, chunk)

    async def _flush(self, topic: Topic, chunk: list[Outgoing]) -> None:
        await send_all(self._producer, chunk)
        self.told.by_topic[topic.name] = self.told.by_topic.get(topic.name, 0) + len(chunk)


def _sale(line: Line, units: int, began_at: str, at: datetime) -> StockMovement:
    number = f"{line.basket}@{began_at}+{line.second}s"
    return StockMovement(
        type=MovementType.SALE, sku=line.sku, location=line.store, quantity=units, occurred_at=at,
        document=Document(kind="ticket", number=number, line=line.sku),
    )  # fmt: skip


def _movement(move: Move, at: datetime) -> StockMovement:
    return StockMovement(
        type=move.type, sku=move.sku, location=move.location, to_location=move.to_location,
        quantity=move.units, occurred_at=at,
        document=Document(kind=PAPERS[move.type], number=move.number),
    )  # fmt: skip
