"""Mirakl's orders as OR11 lists them: the whole order each time, found by its last update.

Source: Mirakl's OpenAPI of the seller's interface, operation OR11. A line's `quantity` stays as
ordered whatever is taken back (unverified); the quantities of refunds and cancelations are
informative there, and are taken at their word.
"""

import math
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from pydantic_core import to_json

from services.ingestion.channels import Payload, Polled, Told, ToldOrder, money, order_id_of
from services.ingestion.domain.allowing import (
    Each,
    Json,
    Shape,
    is_currency,
    is_moment,
    is_whole,
    kept,
)
from services.ingestion.domain.countries import ALPHA_2
from services.ingestion.domain.persons import pseudonym, zone
from shared.contracts.orders import Order
from shared.contracts.records import Undecodable, UndecodableReason

NAME_LENGTH_MAX: Final = 150
AMOUNT_MAX: Final = 10.0**12

# Stock is held from WAITING_ACCEPTANCE on where the channel's record says so. While an accepted
# order waits for its payment (WAITING_DEBIT…) its goods are promised already.
STATES: Final = {
    "STAGING": "pending_payment",
    "WAITING_ACCEPTANCE": "pending_acceptance",
    "WAITING_DEBIT": "confirmed",
    "WAITING_DEBIT_PAYMENT": "confirmed",
    "SHIPPING": "confirmed",
    "TO_COLLECT": "confirmed",
    "SHIPPED": "closed",
    "RECEIVED": "closed",
    "CLOSED": "closed",
    "REFUSED": "cancelled",
    "CANCELED": "cancelled",
}
SENT: Final = frozenset({"SHIPPED", "RECEIVED", "CLOSED"})
OVER: Final = frozenset({"REFUSED", "CANCELED", "REFUNDED"})
LINE_STATES: Final = frozenset({*STATES, "REFUNDED", "INCIDENT_OPEN"})


def _is_state(value: Json) -> bool:
    """Also one that we do not know yet: a word in capitals."""
    return isinstance(value, str) and len(value) <= 40 and value.replace("_", "").isupper()


def _is_name(value: Json) -> bool:
    """What the marketplace or the shop calls a thing: printable, and no longer than a name."""
    return isinstance(value, str) and 0 < len(value) <= NAME_LENGTH_MAX and value.isprintable()


def _is_amount(value: Json) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value) and 0 <= value < AMOUNT_MAX


TAKEN_BACK: Final = Each({"quantity": is_whole, "created_date": is_moment})
ORDER: Final[Shape] = {
    "order_id": _is_name,
    "order_state": _is_state,
    "created_date": is_moment,
    "last_updated_date": is_moment,
    "currency_iso_code": is_currency,
    "order_lines": Each(
        {
            "order_line_id": _is_name, "offer_sku": _is_name, "order_line_state": _is_state,
            "quantity": is_whole, "price_unit": _is_amount, "shipped_date": is_moment,
            "cancelations": TAKEN_BACK, "refunds": TAKEN_BACK,
        }
    ),
}  # fmt: skip


def redact(told: Json, channel: str, key: bytes | None) -> Payload | None:
    """The order without its persons: a pseudonym and a zone stand for them."""
    if not isinstance(told, dict) or not isinstance(told.get("order_lines"), list):
        return None
    payload: Payload = {"order": kept(told, ORDER)}
    customer = told.get("customer")
    if not isinstance(customer, dict):
        return payload
    if (reference := pseudonym(key, channel, customer.get("customer_id"))) is not None:
        payload["customer_ref"] = reference
    address = customer.get("shipping_address") or customer.get("billing_address")
    if isinstance(address, dict):
        country = ALPHA_2.get(str(address.get("country_iso_code")))
        if (place := zone(country, address.get("zip_code"))) is not None:
            payload["zone"] = place
    return payload


def read(payload: Payload, channel: str) -> Told:
    """The order's state."""
    told = payload["order"]
    name = told.get("order_state")
    if "order_id" not in told:  # without it, orders would be taken for one
        return Undecodable(UndecodableReason.INVALID, "order_id: an order has an id")
    if name not in STATES:
        return Undecodable(UndecodableReason.UNKNOWN_TYPE, f"order_state: {name!r} is unknown")
    lines = told.get("order_lines", ())
    strange = {line.get("order_line_state", name) for line in lines} - LINE_STATES
    if strange:
        detail = f"order_line_state: {min(strange)!r} is unknown"
        return Undecodable(UndecodableReason.UNKNOWN_TYPE, detail)
    state = STATES[name]
    order: dict[str, Any] = {
        "order_id": order_id_of(channel, told["order_id"]),
        "channel": channel,
        "state": state,
        "updated_at": told.get("last_updated_date"),
        "placed_at": told.get("created_date"),
        "cancel_reason": "other" if state == "cancelled" else None,
        "customer_ref": payload.get("customer_ref"),
        "zone": payload.get("zone"),
        "lines": [_line(line, told) for line in lines],
    }
    found = Order.read(to_json(order))
    return found if isinstance(found, Undecodable) else ToldOrder(order=found)


def _line(line: Payload, told: Payload) -> Payload:
    quantity, state = line.get("quantity"), line.get("order_line_state", told["order_state"])
    found: Payload = {
        "line_id": line.get("order_line_id", ""),
        "listing": line.get("offer_sku"),
        "quantity": quantity,
    }
    if isinstance(quantity, int) and quantity > 0:
        shipped_at = line.get("shipped_date")
        is_sent = state in SENT or shipped_at is not None
        taken = quantity if state in OVER and not is_sent else _taken_back(line, shipped_at)
        if is_sent and shipped_at is None:
            taken = 0  # what was paid back may all have been paid back after it went
        found["cancelled"] = min(taken, quantity)
        found["shipped"] = quantity - found["cancelled"] if is_sent else 0
    if "price_unit" in line and "currency_iso_code" in told:
        found["unit_price"] = money(Decimal(str(line["price_unit"])))
        found["currency"] = told["currency_iso_code"]
    return found


def _taken_back(line: Payload, shipped_at: str | None) -> int:
    """Units refunded or cancelled before the line went; after that a refund is about money."""
    before = None if shipped_at is None else datetime.fromisoformat(shipped_at)
    return sum(
        max(0, one.get("quantity", 0))
        for one in (*line.get("refunds", ()), *line.get("cancelations", ()))
        if before is None
        or ("created_date" in one and datetime.fromisoformat(one["created_date"]) < before)
    )


MIRAKL: Final = Polled(name="mirakl", redact=redact, read=read)
