"""Builders: deliveries of shops, full of persons, signed as their shops sign them."""

import base64
import hashlib
import hmac
import json
from typing import Any

SECRET = "a-secret-of-the-shop"
OTHER_SECRET = "another-shop's-secret"
KEY = b"key of the pseudonyms"
CHANNEL = "webshop"

# Nothing of this may be anywhere behind the HTTP side.
PERSONAL = (
    "Ada", "Lovelace", "ada@example.org", "+442079460000", "12 Rue de la Paix", "75011", "Paris",
    "leave it at the neighbour", "203.0.113.9", "4242", "gift for Charles", "907001",
)  # fmt: skip


def signed(body: bytes, secret: str = SECRET) -> str:
    """base64(HMAC-SHA256(body)), as both shops sign."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


def a_woo_order(**overrides: Any) -> dict[str, Any]:
    """Two lines: 3 of product 11, 1 of variation 22 of product 20."""
    person = {
        "first_name": "Ada", "last_name": "Lovelace", "company": "Lovelace & Co",
        "address_1": "12 Rue de la Paix", "city": "Paris", "postcode": "75011", "country": "FR",
        "email": "ada@example.org", "phone": "+442079460000",
    }  # fmt: skip
    order: dict[str, Any] = {
        "id": 501, "number": "501", "status": "processing", "currency": "EUR",
        "date_created_gmt": "2026-06-01T10:00:00", "date_modified_gmt": "2026-06-01T10:00:05",
        "date_completed_gmt": None, "customer_id": 907001,
        "customer_note": "leave it at the neighbour",
        "customer_ip_address": "203.0.113.9", "billing": person, "shipping": person,
        "meta_data": [{"id": 1, "key": "_card", "value": "4242"}],
        "line_items": [
            {"id": 1, "name": "Tee", "product_id": 11, "variation_id": 0, "quantity": 3,
             "total": "30.00", "sku": "X", "meta_data": [{"value": "gift for Charles"}]},
            {"id": 2, "name": "Cap", "product_id": 20, "variation_id": 22, "quantity": 1,
             "total": "9.90", "sku": "Y", "meta_data": []},
        ],
        "refunds": [],
    }  # fmt: skip
    return order | overrides


def a_shopify_order(**overrides: Any) -> dict[str, Any]:
    """Two lines: 3 of variant 11, 2 of variant 22; nothing shipped yet."""
    address = {
        "first_name": "Ada", "last_name": "Lovelace", "name": "Ada Lovelace", "city": "Paris",
        "address1": "12 Rue de la Paix", "zip": "75011", "country_code": "FR",
        "phone": "+442079460000",
    }  # fmt: skip
    order: dict[str, Any] = {
        "id": 501, "name": "#1001", "email": "ada@example.org", "currency": "EUR",
        "created_at": "2026-06-01T12:00:00+02:00", "updated_at": "2026-06-01T12:00:05+02:00",
        "cancelled_at": None, "closed_at": None, "cancel_reason": None,
        "financial_status": "paid", "note": "leave it at the neighbour",
        "browser_ip": "203.0.113.9", "customer": {"id": 907001, "email": "ada@example.org"},
        "shipping_address": address, "billing_address": address,
        "payment_details": {"credit_card_number": "4242"},
        "line_items": [
            {"id": 1, "variant_id": 11, "quantity": 3, "current_quantity": 3,
             "fulfillable_quantity": 3, "price": "10.00", "name": "Tee",
             "properties": [{"value": "gift for Charles"}]},
            {"id": 2, "variant_id": 22, "quantity": 2, "current_quantity": 2,
             "fulfillable_quantity": 2, "price": "4.95", "name": "Cap"},
        ],
        "fulfillments": [], "refunds": [],
    }  # fmt: skip
    return order | overrides


def a_shopify_refund(*lines: tuple[int, int, str], number: int = 9) -> dict[str, Any]:
    """A refund of order 501: (line, units, restock type) each."""
    return {
        "id": number, "order_id": 501, "created_at": "2026-06-01T13:00:00+02:00",
        "note": "leave it at the neighbour",
        "refund_line_items": [
            {"id": 70 + i, "line_item_id": line, "quantity": units, "restock_type": kind,
             "line_item": {"name": "gift for Charles"}}
            for i, (line, units, kind) in enumerate(lines)
        ],
    }  # fmt: skip


def body_of(payload: dict[str, Any]) -> bytes:
    """The raw body."""
    return json.dumps(payload, separators=(",", ":")).encode()


def woo_headers(body: bytes, **overrides: str) -> dict[str, str]:
    """What WooCommerce sends with a delivery."""
    headers = {
        "content-type": "application/json",
        "x-wc-webhook-topic": "order.updated",
        "x-wc-webhook-signature": signed(body),
        "x-wc-webhook-delivery-id": "d-1",
    }
    return headers | {name.replace("_", "-"): value for name, value in overrides.items()}


def shopify_headers(body: bytes, **overrides: str) -> dict[str, str]:
    """What Shopify sends with a delivery."""
    headers = {
        "content-type": "application/json",
        "x-shopify-topic": "orders/updated",
        "x-shopify-hmac-sha256": signed(body),
        "x-shopify-webhook-id": "w-1",
    }
    return headers | {name.replace("_", "-"): value for name, value in overrides.items()}
