"""An order as its shop tells it, in our words: SKUs for the shop's codes, base units for its own.

And its place among what was told before: the higher revision wins, equal ones merge (WooCommerce
counts seconds), cancelled, shipped and returned quantities never fall.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Final

from pydantic_core import to_json

from services.ingestion.channels import ToldOrder, ToldRefund, money
from services.ingestion.domain.listings import Listing, in_force
from services.ingestion.repository.listings import Code
from services.ingestion.repository.orders import KeptOrder, Units
from shared.contracts.orders import Order, OrderLine, OrderState
from shared.contracts.records import Undecodable

Known = Mapping[Code, Sequence[Listing]]

RANKS: Final = {state: rank for rank, state in enumerate(OrderState)}


def codes_of(told: ToldOrder) -> set[Code]:
    """The shop's codes that the order names."""
    order = told.order
    return {(order.channel, line.listing) for line in order.lines if line.listing is not None}


def unknown_code(told: ToldOrder, known: Known) -> str | None:
    """The first code of the order that nobody has told us of; the order waits for it."""
    for line in told.order.lines:
        if line.listing is not None and not known.get((told.order.channel, line.listing)):
            return line.listing
    return None


def resolve(told: ToldOrder, known: Known) -> KeptOrder | Undecodable:
    """The order in SKUs and base units; every code is known. Undecodable where a quantity in base
    units is beyond what a contract can hold.
    """
    order = told.order
    units: Units = {}
    lines: list[dict[str, object]] = []
    for line in order.lines:
        assert line.listing is not None, "a shop's line names its listing"
        listing = in_force(known[order.channel, line.listing], order.placed_at)
        assert listing is not None, "a known code has a record"
        units[line.line_id] = listing.units
        lines.append(_in_base_units(line, listing))
    found = Order.read(to_json(order.model_dump(exclude_none=True) | {"lines": lines}))
    if isinstance(found, Undecodable):
        return found
    refunds = {name: _times(lines_, units) for name, lines_ in told.refunds.items()}
    return KeptOrder(order=found, units=units, refunds=refunds)


def fold(known: KeptOrder | None, told: KeptOrder) -> KeptOrder:
    """The order that both states tell."""
    if known is None:
        return _with_refunds(told)
    one, other = known.order, told.order
    newer, older = (other, one) if other.revision >= one.revision else (one, other)
    lines = {line.line_id: line for line in newer.lines}
    if newer.revision == older.revision:
        newer = newer.model_copy(
            update={"state": max(one.state, other.state, key=RANKS.__getitem__)}
        )
        reason = newer.cancel_reason or older.cancel_reason
        newer = newer.model_copy(update={"cancel_reason": reason})
        lines = {line.line_id: line for line in older.lines} | lines
    earlier = {line.line_id: line for line in older.lines}
    joined = tuple(_joined(line, earlier.get(name, line)) for name, line in lines.items())
    order = newer.model_copy(update={"lines": joined})
    return _with_refunds(
        KeptOrder(
            order=order, units=known.units | told.units,
            refunds={**known.refunds, **told.refunds},
        )
    )  # fmt: skip


def refund(known: KeptOrder, told: ToldRefund) -> KeptOrder:
    """The order with one refund more; told twice, it is one. Lines that are no goods of ours, and
    so in no order, are passed over.
    """
    units = {line: known.units[line] for line in told.cancelled if line in known.units}
    cancelled = {line: n for line, n in told.cancelled.items() if line in units}
    refunds = {**known.refunds, told.refund_id: _times(cancelled, units)}
    return _with_refunds(KeptOrder(order=known.order, units=known.units, refunds=refunds))


def _joined(newer: OrderLine, older: OrderLine) -> OrderLine:
    return newer.model_copy(
        update={
            "cancelled": max(newer.cancelled, older.cancelled),
            "shipped": max(newer.shipped, older.shipped),
            "returned": max(newer.returned, older.returned),
        }
    )


def _with_refunds(kept: KeptOrder) -> KeptOrder:
    """What refunds took back before it went is cancelled, never more than was ordered."""
    lines = []
    for line in kept.order.lines:
        taken = sum(refund.get(line.line_id, 0) for refund in kept.refunds.values())
        cancelled = max(line.cancelled, min(taken, line.quantity))
        lines.append(line.model_copy(update={"cancelled": cancelled}))
    order = kept.order.model_copy(update={"lines": tuple(lines)})
    return KeptOrder(order=order, units=kept.units, refunds=kept.refunds)


def _in_base_units(line: OrderLine, listing: Listing) -> dict[str, object]:
    told = line.model_dump(exclude_none=True)
    for name in ("quantity", "cancelled", "shipped", "returned"):
        told[name] *= listing.units
    if line.unit_price is not None:
        told["unit_price"] = money(Decimal(line.unit_price) / listing.units)
    return told | {"sku": listing.sku, "fulfilled_by": listing.fulfilled_by}


def _times(lines: Mapping[str, int], units: Units) -> Units:
    return {line: count * units[line] for line, count in lines.items() if line in units}
