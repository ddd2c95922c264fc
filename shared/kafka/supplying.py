"""Supply orders read: what each line will still bring, and where."""

import socket
from collections.abc import Iterable

from prometheus_client import Counter

from shared.contracts.records import Undecodable
from shared.contracts.supply import SupplyLine as ToldLine
from shared.contracts.supply import SupplyOrder, SupplyState, SupplyType
from shared.contracts.topics import SUPPLY_ORDERS
from shared.kafka.batches import Batch, Fenced, Message
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import Parking, Refusal, internal_error, note_parked
from shared.postgres.positions import Positions
from shared.postgres.supply import Supply, SupplyRows
from shared.runtime.clock import Clock, new_id
from shared.runtime.lifecycle import Process
from shared.stock.supply import SupplyLine

BATCH_MAX = 500
EXPECTED_IN = (SupplyState.SENT, SupplyState.CONFIRMED)
Told = dict[str, Supply]


class SupplyHandler:
    """Keeps the latest state of each supply order.

    A consumer of its own, since nobody waits for a supply order as one waits for a sale, and a
    consumer asks for every partition that it holds with each fetch.
    """

    def __init__(
        self, pool: Pool, supply: SupplyRows, parking: Parking, messages: Counter, *, service: str
    ) -> None:
        self._pool = pool
        self._supply = supply
        self._parking = parking
        self._messages = messages
        self.service = service

    async def decode(self, batch: Batch) -> tuple[Told, list[Refusal]]:
        """Read the batch; of one order the highest revision counts."""
        return read(batch.messages())

    async def apply(self, batch: Batch, decoded: tuple[Told, list[Refusal]]) -> None:
        """One transaction. Raises Fenced, and then nothing has changed."""
        told, refusals = decoded
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await self._begin(connection, batch)
            await self._supply.keep(connection, told)
            await self._parking.park(connection, refusals)
        self._messages.labels("folded").inc(len(batch) - len(refusals))
        self._messages.labels("parked").inc(len(refusals))
        note_parked(self.service, refusals)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        refusal = internal_error(next(batch.messages()), error)
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await self._begin(connection, batch)
            await self._parking.park(connection, [refusal])
        self._messages.labels("parked").inc()
        note_parked(self.service, [refusal])

    async def _begin(self, connection: Connection, batch: Batch) -> None:
        if not await self._supply.hold_fence(connection, batch):
            raise Fenced


def read_supply(
    process: Process, handler: SupplyHandler, pool: Pool, kafka: str, clock: Clock
) -> None:
    """Have a process read the supply orders, its service's positions in its own schema."""
    service = handler.service
    options = ConsumerOptions(
        servers=kafka, group=f"{service}-supply", topics=(SUPPLY_ORDERS.name,),
        batch_max=lambda: BATCH_MAX,
    )  # fmt: skip
    positions = Positions(pool, schema=service, owner=f"{socket.gethostname()}/{new_id()}")
    reading = Consuming(options, handler, positions, clock, process.closing)
    process.add("supply", reading.run)
    process.health.add("supply", lambda: None if reading.is_ready else "no partitions yet")


async def apply_again(
    connection: Connection, supply: SupplyRows, parking: Parking, taken: Iterable[Message]
) -> None:
    """Keep what messages that had been parked say of supply; other topics are passed over."""
    told, refusals = read(message for message in taken if message.topic == SUPPLY_ORDERS.name)
    if told:
        await supply.keep(connection, told)
    await parking.park(connection, refusals)


def read(messages: Iterable[Message]) -> tuple[Told, list[Refusal]]:
    """The latest state of each supply order among the messages, and what cannot be read."""
    told: Told = {}
    refusals: list[Refusal] = []
    for message in messages:
        found = SUPPLY_ORDERS.decode(message.value)
        if isinstance(found, Undecodable):
            reason, detail = str(found.reason), found.detail
            refusals.append(Refusal(message=message, reason=reason, detail=detail))
            continue
        assert isinstance(found, SupplyOrder), found
        known = told.get(found.supply_id)
        if known is None or known.revision < found.revision:
            told[found.supply_id] = _supply_of(found)
    return told, refusals


def _supply_of(order: SupplyOrder) -> Supply:
    """What is sent back to a supplier brings nothing; nor does a draft, or what is over."""
    is_brought = order.type is not SupplyType.SUPPLIER_RETURN
    return Supply(
        supply_id=order.supply_id, revision=order.revision, type=order.type.value,
        is_open=is_brought and order.state in EXPECTED_IN, state=order.state.value,
        supplier_id=order.supplier_id,
        lines=[_line_of(order, line) for line in order.lines] if is_brought else [],
    )  # fmt: skip


def _line_of(order: SupplyOrder, line: ToldLine) -> SupplyLine:
    assert order.to_location is not None, "the contract asks it of all that brings something"
    return SupplyLine(
        supply_id=order.supply_id, line_id=line.line_id, sku=line.sku, location=order.to_location,
        due=line.ordered if line.confirmed is None else line.confirmed, ordered=line.ordered,
        is_transfer=order.type is SupplyType.TRANSFER_ORDER,
        is_confirmed=order.state is SupplyState.CONFIRMED or line.confirmed is not None,
        dispatched=line.dispatched, received=line.received, rejected=line.rejected,
        cancelled=line.cancelled,
        expected_at=line.expected_at or line.promised_at or order.expected_at or order.promised_at,
    )  # fmt: skip
