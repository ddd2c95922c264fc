"""Contracts to values: only what decisions need. No pseudonym of a customer is kept."""

from collections.abc import Sequence
from datetime import UTC, datetime

from pydantic_core import to_json

from services.orders.domain import folding, references, returning
from services.orders.repository.kits import KitRecord
from services.orders.repository.references import ChannelRecord, ListingRecord
from shared.contracts.cloudevents import read_headers
from shared.contracts.fields import EARLIEST
from shared.contracts.orders import FulfilmentState, Order, OrderLine
from shared.contracts.places import Channel
from shared.contracts.products import Listing, Product
from shared.contracts.records import Undecodable
from shared.contracts.returns import Return, ReturnLine
from shared.kafka.batches import Message

Told = Channel | Listing | Product


def order_of(told: Order) -> folding.Order:
    """The state as told; of a line that stands in it twice, both tellings merge."""
    lines: dict[str, folding.OrderLine] = {}
    for line in told.lines:
        value = _order_line(told, line)
        held = lines.get(line.line_id)
        lines[line.line_id] = value if held is None else folding.join_lines(held, value)
    return folding.Order(
        order_id=told.order_id, revision=told.revision, channel=told.channel,
        state=folding.OrderState(told.state), cancel_reason=_text(told.cancel_reason),
        placed_at=told.placed_at, zone=told.zone, lines=lines,
    )  # fmt: skip


def _order_line(order: Order, line: OrderLine) -> folding.OrderLine:
    promise = None
    if line.promised_from is not None or line.promised_until is not None:
        promise = folding.Promise(
            revision=order.revision, since=line.promised_from, until=line.promised_until
        )
    return folding.OrderLine(
        line_id=line.line_id, revision=order.revision, quantity=line.quantity, sku=line.sku,
        listing=line.listing, cancelled=line.cancelled, shipped=line.shipped,
        returned=line.returned, method=_text(line.method), fulfilled_by=str(line.fulfilled_by),
        fulfil_from=line.fulfil_from, requested_for=line.requested_for, promise=promise,
        shorts=_shorts(order, line.line_id),
    )  # fmt: skip


def _shorts(order: Order, line_id: str) -> dict[str, datetime]:
    """Places that looked for the line's goods in vain, and when they last did."""
    shorts: dict[str, datetime] = {}
    for part in order.fulfilments:
        if part.line_id == line_id and part.state is FulfilmentState.SHORT:
            shorts[part.location] = max(part.at, shorts.get(part.location, part.at))
    return dict(sorted(shorts.items()))


def return_of(told: Return, message: Message) -> returning.Return:
    """The state as told; what stands twice in it for one line adds up."""
    lines: dict[str, returning.ReturnLine] = {}
    for line in told.lines:
        key = returning.line_key(line.line_id, line.sku)
        lines[key] = _return_line(told, line, lines.get(key))
    return returning.Return(
        return_id=told.return_id, revision=told.revision,
        state=returning.ReturnState(told.state), told_at=_told_at(told, message),
        order_id=told.order_id, channel=told.channel, location=told.location, lines=lines,
    )  # fmt: skip


def _return_line(
    told: Return, line: ReturnLine, held: returning.ReturnLine | None
) -> returning.ReturnLine:
    graded = dict(held.graded) if held is not None else {}
    found = line.graded
    for bucket, units in (
        ("sellable", found.sellable),
        ("quality_hold", found.quality_hold),
        ("damaged", found.damaged),
    ):
        if units:
            graded[bucket] = graded.get(bucket, 0) + units
    return returning.ReturnLine(
        sku=line.sku, line_id=line.line_id, revision=told.revision, reason=line.reason,
        announced=line.announced + (held.announced if held else 0),
        received=line.received + (held.received if held else 0), graded=graded,
    )  # fmt: skip


def _told_at(told: Return, message: Message) -> datetime:
    """When the state came about: told, else the event's time, else when the broker took it.

    Never this process's clock: the moment is part of the movement's identity, and a state that is
    read again must have the same.
    """
    if told.updated_at is not None:
        return told.updated_at
    headers = read_headers(message.headers)
    if not isinstance(headers, Undecodable) and headers.time is not None:
        return headers.time
    return max(EARLIEST, datetime.fromtimestamp(max(0, message.timestamp) / 1000, UTC))


def channel_of(record: Channel) -> ChannelRecord:
    """A channel's dated record."""
    terms = references.ChannelTerms(
        since=record.from_, until=record.until, pool=record.pool,
        holds_from=folding.OrderState(record.holds_from),
    )  # fmt: skip
    return ChannelRecord(
        record_id=record.record_id, channel=record.channel, revision=record.revision,
        deleted=record.deleted, terms=terms, pool_text=to_json(record.pool).decode(),
    )  # fmt: skip


def listing_of(record: Listing) -> ListingRecord:
    """A listing's dated record."""
    sold = references.Sold(
        since=record.from_, until=record.until, sku=record.sku, units=record.units_per_listing,
        fulfilled_by=str(record.fulfilled_by),
    )  # fmt: skip
    return ListingRecord(
        record_id=record.record_id, key=(record.channel, record.listing_id),
        revision=record.revision, deleted=record.deleted, sold=sold,
    )  # fmt: skip


def kit_of(record: Product) -> KitRecord:
    """What a product's dated record says that its SKU is made of; nothing if it was taken back."""
    return KitRecord(
        record_id=record.record_id, sku=record.sku, revision=record.revision,
        deleted=record.deleted,
        made_of=references.MadeOf(
            since=record.from_, until=record.until,
            parts=tuple((part.sku, part.quantity) for part in record.kit),
        ),
    )  # fmt: skip


def latest(records: Sequence[Told]) -> list[Told]:
    """One record an id: the higher revision, of equal ones the later told."""
    found: dict[tuple[str, str], Told] = {}
    for record in records:
        key = (record.kind, record.record_id)
        if key not in found or found[key].revision <= record.revision:
            found[key] = record
    return list(found.values())


def _text(value: object) -> str | None:
    return None if value is None else str(value)
