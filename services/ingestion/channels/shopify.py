"""Shopify's order and refund webhooks: the whole order at each change, refunds by themselves too.

Source: shopify.dev, the REST Admin resources Order and Refund as webhooks carry them, and "Order
webhooks": the latest payload is the truth, events are not replayed into a state. What
`restock_type` means for lines not yet shipped is (unverified): only `cancel` is taken at its word,
the rest is read from the quantities.
"""

import re
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

from pydantic_core import to_json

from services.ingestion.channels import (
    Payload,
    Told,
    ToldOrder,
    ToldRefund,
    Webhooks,
    money,
    order_id_of,
)
from services.ingestion.domain.allowing import (
    Each,
    Json,
    Shape,
    is_currency,
    is_decimal,
    is_id,
    is_moment,
    is_whole,
    is_word,
    kept,
)
from services.ingestion.domain.persons import pseudonym, zone
from shared.contracts.orders import Order
from shared.contracts.records import Undecodable, UndecodableReason

REFUND_LINES: Final = Each({"line_item_id": is_id, "quantity": is_whole, "restock_type": is_word})
REFUND: Final[Shape] = {
    "id": is_id, "order_id": is_id, "created_at": is_moment, "refund_line_items": REFUND_LINES,
}  # fmt: skip
ORDER: Final[Shape] = {
    "id": is_id,
    "created_at": is_moment, "updated_at": is_moment,
    "cancelled_at": is_moment, "closed_at": is_moment,
    "cancel_reason": is_word, "financial_status": is_word, "currency": is_currency,
    "line_items": Each(
        {
            "id": is_id, "variant_id": is_id, "quantity": is_whole, "current_quantity": is_whole,
            "fulfillable_quantity": is_whole, "price": is_decimal,
        }
    ),
    "fulfillments": Each(
        {"status": is_word, "line_items": Each({"id": is_id, "quantity": is_whole})}
    ),
    "refunds": Each({"id": is_id, "refund_line_items": REFUND_LINES}),
}  # fmt: skip

PAYMENTS: Final = {
    "pending": "pending_payment",
    "expired": "pending_payment",
    "voided": "pending_payment",
    "authorized": "confirmed",
    "partially_paid": "confirmed",
    "paid": "confirmed",
    "partially_refunded": "confirmed",
    "refunded": "confirmed",
}
REASONS: Final = {"customer": "customer", "inventory": "no_stock", "declined": "payment"}
UNDER_WAY: Final = frozenset({"pending", "open"})


def redact(told: Json, channel: str, key: bytes | None) -> Payload | None:
    """The order or refund without its persons: a pseudonym and a zone stand for them."""
    if not isinstance(told, dict):
        return None
    if isinstance(told.get("refund_line_items"), list) and "order_id" in told:
        return {"refund": kept(told, REFUND)}
    if not isinstance(told.get("line_items"), list):
        return None
    payload: Payload = {"order": kept(told, ORDER)}
    customer = told.get("customer")
    number = customer.get("id") if isinstance(customer, dict) else None
    if (reference := pseudonym(key, channel, number)) is not None:
        payload["customer_ref"] = reference
    address = told.get("shipping_address") or told.get("billing_address")
    if isinstance(address, dict):
        place = zone(address.get("country_code"), address.get("zip"))
        payload |= {} if place is None else {"zone": place}
    return payload


def read(payload: Payload, channel: str) -> Told:
    """What the payload says, in units of the listings."""
    if "refund" in payload:
        return _refund(payload["refund"], channel)
    told = payload["order"]
    status = told.get("financial_status")
    if status not in PAYMENTS:
        detail = f"financial_status: {status!r} is unknown"
        return Undecodable(UndecodableReason.UNKNOWN_TYPE, detail)
    is_cancelled = "cancelled_at" in told
    state = "closed" if "closed_at" in told else PAYMENTS[status]
    order: dict[str, Any] = {
        "order_id": order_id_of(channel, told.get("id", "")),
        "channel": channel,
        "state": "cancelled" if is_cancelled else state,
        "updated_at": told.get("updated_at"),
        "placed_at": told.get("created_at"),
        "cancel_reason": REASONS.get(told.get("cancel_reason"), "other") if is_cancelled else None,
        "customer_ref": payload.get("customer_ref"),
        "zone": payload.get("zone"),
        "lines": _lines(told, is_cancelled=is_cancelled),
    }
    found = Order.read(to_json(order))
    if isinstance(found, Undecodable):
        return found
    refunds = {str(refund.get("id", "")): _cancelled_by(refund) for refund in _refunds(told)}
    return ToldOrder(order=found, refunds=refunds)


def _refund(refund: Payload, channel: str) -> Told:
    if "id" not in refund or "order_id" not in refund:
        return Undecodable(UndecodableReason.INVALID, "a refund names itself and its order")
    return ToldRefund(
        order_id=order_id_of(channel, refund["order_id"]),
        refund_id=str(refund["id"]),
        cancelled=_cancelled_by(refund),
    )


def _lines(told: Payload, *, is_cancelled: bool) -> list[Payload]:
    shipped, under_way = _fulfilled(told)
    refunded, returned = _refunded(told)
    lines: list[Payload] = []
    for line in told.get("line_items", ()):
        line_id, quantity = str(line.get("id", "")), line.get("quantity")
        if not line.get("variant_id") or quantity == 0:
            continue  # a tip or a line typed in by hand: no listing, nothing in stock
        found: Payload = {
            "line_id": line_id, "listing": str(line["variant_id"]), "quantity": quantity,
        }  # fmt: skip
        if isinstance(quantity, int) and quantity > 0:
            sent = min(shipped[line_id], quantity)
            found["shipped"] = sent
            found["returned"] = min(returned[line_id], sent)
            found["cancelled"] = (
                quantity - sent
                if is_cancelled
                else _cancelled(line, sent + under_way[line_id], refunded[line_id])
            )
        if "price" in line and "currency" in told:
            price = money(Decimal(line["price"]))
            found |= {"unit_price": price, "currency": told["currency"]}
        lines.append(found)
    return lines


def _cancelled(line: Payload, served: int, refunded: int) -> int:
    """Units taken back before they went: no longer to be served, though not served, and refunded
    or edited away. fulfillable = quantity − taken back − served.
    """
    quantity: int = line["quantity"]
    current: int = line.get("current_quantity", quantity)
    open_units: int | None = line.get("fulfillable_quantity")
    removed = max(refunded, quantity - current)
    if open_units is None:
        return max(0, min(removed, quantity) - served)
    return max(0, min(removed, quantity - served - open_units))


def _fulfilled(told: Payload) -> tuple[Counter[str], Counter[str]]:
    """Units sent, and units in a fulfilment under way, by line."""
    sent, under_way = Counter[str](), Counter[str]()
    for fulfilment in told.get("fulfillments", ()):
        status = fulfilment.get("status")
        if status == "success" or status in UNDER_WAY:
            into = sent if status == "success" else under_way
            into.update(_units(fulfilment.get("line_items", ()), "id"))
    return sent, under_way


def _refunded(told: Payload) -> tuple[Counter[str], Counter[str]]:
    """Units refunded, and those of them that came back, by line."""
    refunded, returned = Counter[str](), Counter[str]()
    for refund in _refunds(told):
        for line in refund.get("refund_line_items", ()):
            units = _units([line], "line_item_id")
            refunded.update(units)
            if line.get("restock_type") == "return":
                returned.update(units)
    return refunded, returned


def _refunds(told: Payload) -> list[Payload]:
    refunds: list[Payload] = told.get("refunds", [])
    return refunds


def _cancelled_by(refund: Payload) -> Mapping[str, int]:
    lines = refund.get("refund_line_items", ())
    return _units([one for one in lines if one.get("restock_type") == "cancel"], "line_item_id")


def _units(lines: list[Payload], named_by: str) -> Counter[str]:
    units = Counter[str]()
    for line in lines:
        units[str(line.get(named_by, ""))] += max(0, line.get("quantity", 0))
    return units


SHOPIFY: Final = Webhooks(
    name="shopify",
    signature_header="x-shopify-hmac-sha256",
    delivery_header="x-shopify-webhook-id",
    topic_header="x-shopify-topic",
    topics=re.compile(r"(orders|refunds)/[a-z_]+"),
    redact=redact,
    read=read,
)
