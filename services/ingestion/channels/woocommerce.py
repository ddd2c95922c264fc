"""WooCommerce's order webhooks: the whole order at each change, revision by the second.

Source: woocommerce-rest-api-docs, `wp-api-v3/_orders.md` and `_webhooks.md`, and the webhook class
of WooCommerce. The payload's `refunds` name no lines, so that part of a refund is seen only when
the order's status changes; an order that is deleted says neither state nor date and is passed
over (shops cancel before they delete).
"""

import re
from decimal import Decimal
from typing import Any, Final

from pydantic_core import to_json

from services.ingestion.channels import Payload, Told, ToldOrder, Webhooks, money, order_id_of
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

ORDER: Final[Shape] = {
    "id": is_id,
    "status": is_word,
    "currency": is_currency,
    "date_created_gmt": is_moment,
    "date_modified_gmt": is_moment,
    "date_completed_gmt": is_moment,
    "line_items": Each(
        {
            "id": is_id, "product_id": is_id, "variation_id": is_id, "quantity": is_whole,
            "total": is_decimal,
        }
    ),
}  # fmt: skip

# A cancelled order may come back (a transfer arrives after all), so that the state alone says it:
# cancelled units would never fall again.
STATES: Final = {
    "pending": "pending_payment",
    "on-hold": "pending_payment",
    "processing": "confirmed",
    "completed": "closed",
    "cancelled": "cancelled",
    "failed": "cancelled",
    "refunded": "cancelled",
}
REASONS: Final = {"cancelled": "other", "failed": "payment", "refunded": "customer"}


def redact(told: Json, channel: str, key: bytes | None) -> Payload | None:
    """The order without its persons: a pseudonym and a zone stand for them."""
    if not isinstance(told, dict) or not isinstance(told.get("line_items"), list):
        return None
    payload: Payload = {"order": kept(told, ORDER)}
    if (reference := pseudonym(key, channel, told.get("customer_id"))) is not None:
        payload["customer_ref"] = reference
    for name in ("shipping", "billing"):
        address = told.get(name)
        if isinstance(address, dict) and address.get("country"):
            if (place := zone(address.get("country"), address.get("postcode"))) is not None:
                payload["zone"] = place
            break
    return payload


def read(payload: Payload, channel: str) -> Told:
    """The order's state. A completed order is shipped; refunded afterwards, it stays so."""
    told = payload["order"]
    status = told.get("status")
    if status not in STATES:
        return Undecodable(UndecodableReason.UNKNOWN_TYPE, f"status: {status!r} is unknown")
    is_shipped = status == "completed" or (status == "refunded" and "date_completed_gmt" in told)
    state = "closed" if is_shipped else STATES[status]
    lines = [_line(line, told, is_shipped=is_shipped) for line in told.get("line_items", ())]
    order: dict[str, Any] = {
        "order_id": order_id_of(channel, told.get("id", "")),
        "channel": channel,
        "state": state,
        "updated_at": _utc(told.get("date_modified_gmt")),
        "placed_at": _utc(told.get("date_created_gmt")),
        "cancel_reason": REASONS[status] if state == "cancelled" else None,
        "customer_ref": payload.get("customer_ref"),
        "zone": payload.get("zone"),
        "lines": [line for line in lines if line is not None],
    }
    found = Order.read(to_json(order))
    return found if isinstance(found, Undecodable) else ToldOrder(order=found)


def _line(line: Payload, told: Payload, *, is_shipped: bool) -> Payload | None:
    """None for what is no product of the shop, such as a fee typed in by hand."""
    listing = line.get("variation_id") or line.get("product_id")
    quantity = line.get("quantity")
    if not listing or quantity == 0:
        return None
    found: Payload = {
        "line_id": str(line.get("id", "")),
        "listing": str(listing),
        "quantity": quantity,
        "shipped": quantity if is_shipped else 0,
    }
    if "total" in line and "currency" in told and isinstance(quantity, int) and quantity > 0:
        found["unit_price"] = money(Decimal(line["total"]) / quantity)
        found["currency"] = told["currency"]
    return found


def _utc(moment: str | None) -> str | None:
    """`_gmt` dates carry no zone."""
    return None if moment is None else f"{moment[:19]}Z"


WOOCOMMERCE: Final = Webhooks(
    name="woocommerce",
    signature_header="x-wc-webhook-signature",
    delivery_header="x-wc-webhook-delivery-id",
    topic_header="x-wc-webhook-topic",
    topics=re.compile(r"order\.[a-z_]+"),
    redact=redact,
    read=read,
    # Described by the protocol's documentation without an example (unverified).
    ping=re.compile(rb"webhook_id=[0-9]{1,20}"),
)
