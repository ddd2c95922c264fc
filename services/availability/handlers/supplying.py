"""Supply orders read: what each line will still bring, and where."""

from collections.abc import Iterable

from services.availability import metrics
from services.availability.domain.supply import SupplyLine
from services.availability.repository import supply
from services.availability.repository.parking import PARKING
from services.availability.repository.supply import Supply
from shared.contracts.records import Undecodable
from shared.contracts.supply import SupplyLine as ToldLine
from shared.contracts.supply import SupplyOrder, SupplyState, SupplyType
from shared.contracts.topics import SUPPLY_ORDERS
from shared.kafka.batches import Batch, Fenced, Message
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import Refusal, internal_error, note_parked

EXPECTED_IN = (SupplyState.SENT, SupplyState.CONFIRMED)
Told = dict[str, Supply]


class SupplyHandler:
    """Keeps the latest state of each supply order.

    A consumer of its own, since nobody waits for a supply order as one waits for a sale, and a
    consumer asks for every partition that it holds with each fetch.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def decode(self, batch: Batch) -> tuple[Told, list[Refusal]]:
        """Read the batch; of one order the highest revision counts."""
        return read(batch.messages())

    async def apply(self, batch: Batch, decoded: tuple[Told, list[Refusal]]) -> None:
        """One transaction. Raises Fenced, and then nothing has changed."""
        told, refusals = decoded
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await self._begin(connection, batch)
            await supply.keep(connection, told)
            await PARKING.park(connection, refusals)
        metrics.MESSAGES.labels("folded").inc(len(batch) - len(refusals))
        metrics.MESSAGES.labels("parked").inc(len(refusals))
        note_parked(metrics.SERVICE, refusals)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        refusal = internal_error(next(batch.messages()), error)
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await self._begin(connection, batch)
            await PARKING.park(connection, [refusal])
        metrics.MESSAGES.labels("parked").inc()
        note_parked(metrics.SERVICE, [refusal])

    async def _begin(self, connection: Connection, batch: Batch) -> None:
        if not await supply.hold_fence(connection, batch):
            raise Fenced


async def apply_again(connection: Connection, taken: Iterable[Message]) -> None:
    """Keep what messages that had been parked say of supply; other topics are passed over."""
    told, refusals = read(message for message in taken if message.topic == SUPPLY_ORDERS.name)
    if told:
        await supply.keep(connection, told)
    await PARKING.park(connection, refusals)


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
    brings = order.state in EXPECTED_IN and order.type is not SupplyType.SUPPLIER_RETURN
    return Supply(
        supply_id=order.supply_id, revision=order.revision, is_open=brings,
        lines=[_line_of(order, line) for line in order.lines] if brings else [],
    )  # fmt: skip


def _line_of(order: SupplyOrder, line: ToldLine) -> SupplyLine:
    assert order.to_location is not None, "the contract asks it of all that brings something"
    return SupplyLine(
        supply_id=order.supply_id, line_id=line.line_id, sku=line.sku, location=order.to_location,
        due=line.ordered if line.confirmed is None else line.confirmed,
        is_transfer=order.type is SupplyType.TRANSFER_ORDER,
        is_confirmed=order.state is SupplyState.CONFIRMED or line.confirmed is not None,
        dispatched=line.dispatched, received=line.received, rejected=line.rejected,
        cancelled=line.cancelled,
        expected_at=line.expected_at or line.promised_at or order.expected_at or order.promised_at,
    )  # fmt: skip
