"""Mirakl's orders: nothing personal is kept, and each state says what the lines want."""

import json
from decimal import Decimal
from typing import Any

import pytest

from services.ingestion.channels import ToldOrder
from services.ingestion.channels.mirakl import read, redact
from services.ingestion.domain.countries import ALPHA_2
from services.ingestion.settings import IngestionSettings
from services.simulators.mirakl.marketplace import Marketplace
from shared.contracts.orders import Order
from shared.contracts.records import Undecodable
from tests.unit.ingestion.builders import CHANNEL, KEY, PERSONAL

UPDATED = "2026-06-01T10:00:05.250Z"
SHIPPED = "2026-06-01T12:00:00Z"


def a_line(number: int = 1, **overrides: Any) -> dict[str, Any]:
    """3 units of offer `mug`, waiting to be accepted."""
    line: dict[str, Any] = {
        "order_line_id": f"Order_1-A-{number}", "order_line_index": number, "offer_sku": "mug",
        "order_line_state": "SHIPPING", "quantity": 3, "price_unit": 9.9, "price": 29.7,
        "product_title": "gift for Charles", "shipped_date": None, "cancelations": [],
        "refunds": [],
        "order_line_additional_fields": [{"code": "engraving", "value": "Ada Lovelace"}],
    }  # fmt: skip
    return line | overrides


def an_order(**overrides: Any) -> dict[str, Any]:
    """As OR11 lists it, with persons wherever Mirakl has a field for them."""
    person = {"firstname": "Ada", "lastname": "Lovelace", "customer_id": "907001"}
    address = {
        **person, "street_1": "12 Rue de la Paix", "zip_code": "75011", "city": "Paris",
        "country_iso_code": "FRA", "phone": "+442079460000",
    }  # fmt: skip
    order: dict[str, Any] = {
        "order_id": "Order_1-A", "commercial_id": "Order_1", "order_state": "SHIPPING",
        "created_date": "2026-06-01T10:00:00Z", "last_updated_date": UPDATED,
        "currency_iso_code": "EUR", "customer_notification_email": "ada@example.org",
        "customer": {**person, "shipping_address": address, "billing_address": address,
                     "delivery_contact": person},
        "references": {"order_reference_for_customer": "gift for Charles"},
        "transaction_number": "4242", "order_lines": [a_line()],
    }  # fmt: skip
    return order | overrides


def told(**overrides: Any) -> Order:
    """The order as it is read."""
    payload = redact(an_order(**overrides), CHANNEL, KEY)
    assert payload is not None
    found = read(payload, CHANNEL)
    assert isinstance(found, ToldOrder), found
    return found.order


def refund(quantity: int, at: str = "2026-06-01T11:00:00Z") -> dict[str, Any]:
    return {"id": "9", "quantity": quantity, "amount": 9.9, "created_date": at}


def test_nothing_personal_is_left() -> None:
    payload = redact(an_order(), CHANNEL, KEY)

    text = json.dumps(payload)
    assert payload is not None
    assert [word for word in PERSONAL if word in text] == []
    assert payload["zone"] == "FR-75"
    assert payload["customer_ref"].startswith("c_")


def test_what_the_simulator_lists_is_read_without_a_person() -> None:
    marketplace = Marketplace()
    marketplace.add("mug", 5)
    order = marketplace.place([("mug", 2)], 1_780_000_000_000_000).view()

    payload = redact(order, CHANNEL, None)

    assert payload is not None
    found = read(payload, CHANNEL)
    assert isinstance(found, ToldOrder)
    assert (found.order.state, found.order.lines[0].quantity) == ("pending_acceptance", 2)
    assert [w for w in ("First", "Last", "Simulated", "Town", "mail") if w in str(payload)] == []


def test_an_order_names_its_lines_by_offer_and_is_revised_by_the_millisecond() -> None:
    order = told()

    assert order.order_id == f"{CHANNEL}:Order_1-A"
    assert order.revision == 1_780_308_005_250_000
    (line,) = order.lines
    assert (line.line_id, line.listing, line.quantity) == ("Order_1-A-1", "mug", 3)
    assert (line.unit_price, line.currency) == (Decimal("9.9"), "EUR")


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("STAGING", "pending_payment"),
        ("WAITING_ACCEPTANCE", "pending_acceptance"),
        ("WAITING_DEBIT", "confirmed"),
        ("WAITING_DEBIT_PAYMENT", "confirmed"),
        ("SHIPPING", "confirmed"),
        ("TO_COLLECT", "confirmed"),
        ("SHIPPED", "closed"),
        ("RECEIVED", "closed"),
        ("CLOSED", "closed"),
        ("REFUSED", "cancelled"),
        ("CANCELED", "cancelled"),
    ],
)
def test_each_state_has_one_of_ours(state: str, expected: str) -> None:
    order = told(order_state=state, order_lines=[a_line(order_line_state=state)])

    assert order.state == expected
    assert order.cancel_reason == ("other" if expected == "cancelled" else None)


@pytest.mark.parametrize(
    ("line", "cancelled", "shipped"),
    [
        pytest.param({}, 0, 0, id="nothing_has_happened"),
        pytest.param({"order_line_state": "REFUSED"}, 3, 0, id="refused"),
        pytest.param({"order_line_state": "CANCELED"}, 3, 0, id="cancelled"),
        pytest.param({"order_line_state": "REFUNDED"}, 3, 0, id="refunded_before_it_went"),
        pytest.param({"refunds": [refund(1), refund(1)]}, 2, 0, id="units_refunded_before_it_went"),
        pytest.param({"cancelations": [refund(1)]}, 1, 0, id="units_cancelled"),
        pytest.param({"refunds": [refund(9)]}, 3, 0, id="never_more_than_was_ordered"),
        pytest.param({"refunds": [refund(-1)]}, 0, 0, id="never_less_than_nothing"),
        pytest.param({"refunds": [refund(0)]}, 0, 0, id="money_alone"),
        pytest.param(
            {"order_line_state": "SHIPPED", "shipped_date": SHIPPED}, 0, 3, id="shipped"
        ),
        pytest.param(
            {"order_line_state": "SHIPPED", "shipped_date": SHIPPED, "refunds": [refund(1)]}, 1, 2,
            id="shipped_without_what_was_refunded_before",
        ),
        pytest.param(
            {"order_line_state": "RECEIVED", "shipped_date": SHIPPED,
             "refunds": [refund(2, "2026-06-09T11:00:00Z")]}, 0, 3,
            id="refunded_after_it_went",
        ),
        pytest.param(
            {"order_line_state": "REFUNDED", "shipped_date": SHIPPED,
             "refunds": [refund(3, "2026-06-09T11:00:00Z")]}, 0, 3,
            id="refunded_whole_after_it_went",
        ),
        pytest.param(
            {"order_line_state": "SHIPPED", "refunds": [refund(1)]}, 0, 3,
            id="shipped_at_a_time_nobody_says",
        ),
        pytest.param({"order_line_state": "INCIDENT_OPEN"}, 0, 0, id="an_incident_before_it_went"),
    ],
)  # fmt: skip
def test_a_line_wants_what_nobody_took_back_before_it_went(
    line: dict[str, Any], cancelled: int, shipped: int
) -> None:
    (found,) = told(order_lines=[a_line(**line)]).lines

    assert (found.cancelled, found.shipped) == (cancelled, shipped)


def test_a_line_without_a_state_of_its_own_has_the_orders() -> None:
    line = a_line(order_line_state=None)

    (found,) = told(order_state="REFUSED", order_lines=[line]).lines

    assert found.cancelled == 3


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        pytest.param({"order_state": "TELEPORTED"}, "unknown_type", id="a_new_state"),
        pytest.param({"order_state": "ada lovelace"}, "unknown_type", id="no_state_at_all"),
        pytest.param(
            {"order_lines": [a_line(order_line_state="TELEPORTED")]}, "unknown_type",
            id="a_new_state_of_a_line",
        ),
        pytest.param({"last_updated_date": "today"}, "invalid", id="no_revision"),
        pytest.param({"order_lines": [a_line(offer_sku=None)]}, "invalid", id="no_offer"),
        pytest.param({"order_lines": [a_line(quantity=0)]}, "invalid", id="nothing_ordered"),
        pytest.param({"order_lines": [a_line(quantity="3")]}, "invalid", id="a_quantity_as_text"),
        pytest.param({"order_id": "a\0b"}, "invalid", id="an_id_that_no_database_holds"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_refused_with_its_reason(
    overrides: dict[str, Any], reason: str
) -> None:
    payload = redact(an_order(**overrides), CHANNEL, KEY)

    assert payload is not None
    found = read(payload, CHANNEL)
    assert isinstance(found, Undecodable)
    assert found.reason == reason


@pytest.mark.parametrize("payload", [None, 3, [], {}, {"order_lines": 3}])
def test_what_is_no_order_is_none(payload: Any) -> None:
    assert redact(payload, CHANNEL, KEY) is None


def test_a_zone_needs_a_country_that_there_is() -> None:
    nowhere = an_order(customer={"shipping_address": {"country_iso_code": "XXX", "zip_code": "1"}})

    payload = redact(nowhere, CHANNEL, KEY)

    assert payload is not None
    assert "zone" not in payload
    assert ("customer_ref" in payload) is False
    assert redact(an_order(customer=None), CHANNEL, KEY) is not None


def test_countries_are_told_apart_by_either_code() -> None:
    assert len(ALPHA_2) == len(set(ALPHA_2.values())) == 249
    assert [ALPHA_2[c] for c in ("FRA", "DEU", "GBR", "CHE", "AUT", "POL")] == [
        "FR", "DE", "GB", "CH", "AT", "PL",
    ]  # fmt: skip


def settings_with(monkeypatch: pytest.MonkeyPatch, **told: Any) -> IngestionSettings:
    marketplace = {"kind": "mirakl", "url": "https://m.example", "api_key": "k"} | told
    monkeypatch.setenv("STOCKTIDE_INGESTION_MARKETPLACES", json.dumps({"m": marketplace}))
    return IngestionSettings()


def test_a_marketplace_is_polled_within_its_documented_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    marketplace = settings_with(monkeypatch).marketplaces["m"]

    assert marketplace.poll_seconds >= 60
    assert not marketplace.accepts
    assert "k'" not in repr(marketplace)


def test_polling_above_the_pace_and_two_roads_for_a_channel_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with pytest.raises(ValueError, match="under the marketplace's pace"):
        settings_with(monkeypatch, poll_seconds=59)
    simulated = settings_with(monkeypatch, poll_seconds=1, pace_seconds=0.5).marketplaces["m"]
    assert simulated.poll_seconds == 1
    shops = {"m": {"kind": "shopify", "secrets": ["a-secret-of-16-characters"]}}
    monkeypatch.setenv("STOCKTIDE_INGESTION_SHOPS", json.dumps(shops))
    with pytest.raises(ValueError, match="is a shop and a marketplace"):
        settings_with(monkeypatch)
