"""What stands in every simulated order where a real one has a person: constants, nobody's own."""

from typing import Any

ADDRESS: dict[str, Any] = {
    "first_name": "NO-FIRST-NAME", "last_name": "NO-LAST-NAME", "name": "NO-FULL-NAME",
    "company": "NO-COMPANY", "address1": "NO-STREET", "address2": "NO-FLOOR", "city": "NO-CITY",
    "zip": "00999", "country_code": "FR", "phone": "+00000000000",
}  # fmt: skip
PERSONAL: dict[str, Any] = {
    "email": "nobody@shop.invalid", "contact_email": "nobody@shop.invalid",
    "phone": "+00000000000", "browser_ip": "192.0.2.1", "note": "NO-NOTE",
    "customer": {"id": 900_000_001, "email": "nobody@shop.invalid", "note": "NO-CUSTOMER-NOTE"},
    "shipping_address": ADDRESS, "billing_address": ADDRESS,
    "payment_details": {"credit_card_number": "NO-CARD"},
}  # fmt: skip
# What of it must be found nowhere behind a webhook's receiver. (The country and the beginning of
# the post code may be: they make the zone.)
NEVER_KEPT = (
    "NO-FIRST-NAME", "NO-LAST-NAME", "NO-FULL-NAME", "NO-COMPANY", "NO-STREET", "NO-FLOOR",
    "NO-CITY", "00999", "+00000000000", "nobody@shop.invalid", "192.0.2.1", "NO-NOTE",
    "NO-CUSTOMER-NOTE", "NO-CARD", "900000001",
)  # fmt: skip
