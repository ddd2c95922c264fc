"""Bytes to values: a batch folded as far as it can be without the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.orders.domain.folding import Order, join_orders
from services.orders.domain.returning import Return
from services.orders.handlers.translating import order_of, return_of
from shared.contracts import orders, returns
from shared.contracts.allocations import Allocation
from shared.contracts.places import Channel
from shared.contracts.products import Listing, Product
from shared.contracts.records import Undecodable
from shared.contracts.topics import ALLOCATIONS, ORDERS, REFERENCE_DATA, RETURNS
from shared.kafka.batches import Batch, Message
from shared.postgres.parking import Refusal

READ = (ORDERS, RETURNS, REFERENCE_DATA, ALLOCATIONS)
_TOPICS = {topic.name: topic for topic in READ}
YIELD_EVERY = 500


@dataclass(slots=True)
class Reading:
    """A batch that was read: orders joined, returns in the order told, answers at their highest."""

    orders: dict[str, Order] = field(default_factory=dict)
    returns: list[Return] = field(default_factory=list)
    outcomes: dict[tuple[str, str], Allocation] = field(default_factory=dict)
    records: list[Channel | Listing | Product] = field(default_factory=list)
    skus: set[str] = field(default_factory=set)
    refusals: list[Refusal] = field(default_factory=list)
    messages: int = 0

    @property
    def has_references(self) -> bool:
        """Does the batch change the reference data?"""
        return bool(self.records or self.skus)


async def read(batch: Batch) -> Reading:
    """Read every message; what can't be read is a refusal. Lets others run every 500."""
    reading = Reading(messages=len(batch))
    for part in batch.slices:
        for start in range(0, len(part.messages), YIELD_EVERY):
            _read_slice(part.messages[start : start + YIELD_EVERY], reading)
            await asyncio.sleep(0)
    return reading


def _read_slice(messages: Sequence[Message], reading: Reading) -> None:
    for message in messages:
        told = _TOPICS[message.topic].decode(message.value)
        match told:
            case Undecodable():
                refusal = Refusal(message=message, reason=str(told.reason), detail=told.detail)
                reading.refusals.append(refusal)
            case orders.Order():
                _add_order(reading, order_of(told))
            case returns.Return():
                reading.returns.append(return_of(told, message))
            case Allocation():
                _add_outcome(reading, told)
            case Product():
                reading.skus.add(told.sku)
                reading.records.append(told)
            case Channel() | Listing():
                reading.records.append(told)
            case _:  # reference data of kinds that orders has no use for
                pass


def _add_order(reading: Reading, order: Order) -> None:
    held = reading.orders.get(order.order_id)
    reading.orders[order.order_id] = order if held is None else join_orders(held, order)


def _add_outcome(reading: Reading, told: Allocation) -> None:
    key = (told.order_id, told.line_id)
    held = reading.outcomes.get(key)
    if held is None or held.version < told.version:
        reading.outcomes[key] = told
