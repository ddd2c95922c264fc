"""Orders and their outcomes heard: which of a channel's own sales the figures include."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from services.publication import metrics
from services.publication.repository.folding import FigureColumns
from services.publication.repository.hearing import LineColumns, OutcomeColumns
from services.publication.repository.store import Store
from shared.contracts.allocations import Allocation
from shared.contracts.orders import FulfilledBy, Order, OrderLine, OrderState
from shared.contracts.records import Undecodable
from shared.contracts.topics import ALLOCATIONS, ORDERS
from shared.kafka.batches import Batch
from shared.postgres.parking import internal_error, note_parked


@dataclass(slots=True)
class Heard:
    """A batch that was read. What cannot be read is its own consumers' to park, and is passed."""

    lines: LineColumns = field(default_factory=LineColumns)
    outcomes: OutcomeColumns = field(default_factory=OutcomeColumns)


class Line(NamedTuple):
    """Whose an order line is, and when the shop last changed its order."""

    channel: str
    listing: str | None
    sku: str | None
    changed_at: datetime | None
    is_called_off: bool


class HearingHandler:
    """Keeps whose each order line is and what the ledger has booked for it.

    A line counts as heard `heard_after_seconds` after its outcome came: by then the figure
    includes it, see docs/adr/0010.
    """

    def __init__(self, store: Store, heard_after_seconds: float) -> None:
        self._store = store
        self._heard_after_seconds = heard_after_seconds

    async def decode(self, batch: Batch) -> Heard:
        """Read the batch; of one line the latest outcome counts."""
        return read(batch)

    async def apply(self, batch: Batch, decoded: Heard) -> None:
        """One transaction. Raises Fenced, and then nothing has changed."""
        await self._store.hear(batch, decoded.lines, decoded.outcomes, self._heard_after_seconds)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        refusal = internal_error(next(batch.messages()), error)
        async with self._store.transaction() as transaction:
            await transaction.fold_figures(batch, FigureColumns())
            await transaction.park([refusal])
        metrics.MESSAGES.labels("parked").inc()
        note_parked(metrics.SERVICE, [refusal])


def read(batch: Batch) -> Heard:
    """Lines of orders that we fulfil, each once, and the latest outcome of each line."""
    heard = Heard()
    lines: dict[tuple[str, str], Line] = {}
    outcomes: dict[tuple[str, str], Allocation] = {}
    for message in batch.messages():
        topic = ORDERS if message.topic == ORDERS.name else ALLOCATIONS
        match topic.decode(message.value):
            case Order() as order:
                for line in order.lines:
                    if line.fulfilled_by is FulfilledBy.US:
                        key = order.order_id, line.line_id
                        changed_at = order.updated_at or order.placed_at
                        lines[key] = Line(
                            order.channel, line.listing, line.sku, changed_at, _is_off(order, line)
                        )
            case Allocation() as told:
                key = told.order_id, told.line_id
                known = outcomes.get(key)
                if known is None or known.version < told.version:
                    outcomes[key] = told
            case Undecodable() | _:
                pass
    _fill(heard, lines, outcomes)
    return heard


def _is_off(order: Order, line: OrderLine) -> bool:
    return order.state is OrderState.CANCELLED or line.cancelled >= line.quantity


def _fill(
    heard: Heard,
    lines: dict[tuple[str, str], Line],
    outcomes: dict[tuple[str, str], Allocation],
) -> None:
    for (order_id, line_id), line in lines.items():
        heard.lines.orders.append(order_id)
        heard.lines.lines.append(line_id)
        heard.lines.channels.append(line.channel)
        heard.lines.listings.append(line.listing)
        heard.lines.skus.append(line.sku)
        heard.lines.changed.append(line.changed_at)
        heard.lines.called_off.append(line.is_called_off)
    for told in outcomes.values():
        heard.outcomes.orders.append(told.order_id)
        heard.outcomes.lines.append(told.line_id)
        heard.outcomes.skus.append(told.sku)
        heard.outcomes.wanted.append(told.wanted)
        heard.outcomes.versions.append(told.version)
        heard.outcomes.recorded.append(told.recorded_at)
