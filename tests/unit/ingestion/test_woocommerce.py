"""WooCommerce's payloads: what is kept of them, and which order they tell."""

import json
from typing import Any

import pytest

from services.ingestion.channels import ToldOrder
from services.ingestion.channels.woocommerce import read, redact
from shared.contracts.orders import CancelReason, Order, OrderState
from shared.contracts.records import Undecodable, UndecodableReason
from tests.unit.ingestion.builders import CHANNEL, KEY, PERSONAL, a_woo_order


def told(**overrides: Any) -> Order:
    """The order that a payload tells."""
    found = read_of(a_woo_order(**overrides))
    assert isinstance(found, ToldOrder), found
    return found.order


def read_of(payload: dict[str, Any]) -> object:
    """What is read of a payload after the allow-list."""
    redacted = redact(payload, CHANNEL, KEY)
    assert redacted is not None
    return read(redacted, CHANNEL)


def test_an_order_is_told_whole() -> None:
    order = told()

    assert order.order_id == "webshop:501"
    assert order.state is OrderState.CONFIRMED
    assert order.updated_at is not None
    assert order.updated_at.isoformat() == "2026-06-01T10:00:05+00:00"
    assert order.zone == "FR-75"
    lines = [(line.line_id, line.listing, line.quantity, line.cancelled) for line in order.lines]
    assert lines == [("1", "11", 3, 0), ("2", "22", 1, 0)]
    assert str(order.lines[0].unit_price) == "10"


def test_no_personal_field_is_kept() -> None:
    text = json.dumps(redact(a_woo_order(), CHANNEL, KEY))

    assert [word for word in PERSONAL if word in text] == []


def test_a_person_in_a_field_that_is_kept_does_not_get_in_by_its_name() -> None:
    hostile = a_woo_order(
        status="Ada Lovelace", currency="Ada", date_created_gmt="Ada Lovelace", id="Lovelace",
        line_items=[{"id": "ada@example.org", "quantity": "Ada", "total": "12 Rue de la Paix"}],
    )  # fmt: skip

    text = json.dumps(redact(hostile, CHANNEL, KEY))

    assert [word for word in PERSONAL if word in text] == []


def test_a_customer_is_the_same_pseudonym_in_one_shop_and_another_elsewhere() -> None:
    here = redact(a_woo_order(), CHANNEL, KEY)
    again = redact(a_woo_order(id=502), CHANNEL, KEY)
    elsewhere = redact(a_woo_order(), "other", KEY)
    keyless = redact(a_woo_order(), CHANNEL, None)
    guest = redact(a_woo_order(customer_id=0), CHANNEL, KEY)

    assert here is not None
    assert again is not None
    assert elsewhere is not None
    assert keyless is not None
    assert guest is not None
    assert here["customer_ref"] == again["customer_ref"] != elsewhere["customer_ref"]
    assert "customer_ref" not in keyless
    assert "customer_ref" not in guest


@pytest.mark.parametrize(
    ("status", "state", "reason", "shipped"),
    [
        ("pending", OrderState.PENDING_PAYMENT, None, 0),
        ("on-hold", OrderState.PENDING_PAYMENT, None, 0),
        ("processing", OrderState.CONFIRMED, None, 0),
        ("completed", OrderState.CLOSED, None, 3),
        ("cancelled", OrderState.CANCELLED, CancelReason.OTHER, 0),
        ("failed", OrderState.CANCELLED, CancelReason.PAYMENT, 0),
        ("refunded", OrderState.CLOSED, None, 3),
    ],
)
def test_each_status_of_an_order_completed_or_not(
    status: str, state: OrderState, reason: CancelReason | None, shipped: int
) -> None:
    order = told(status=status, date_completed_gmt="2026-06-01T10:00:04")

    found = (order.state, order.cancel_reason, order.lines[0].shipped, order.lines[0].cancelled)
    assert found == (state, reason, shipped, 0)


def test_an_order_refunded_before_it_was_completed_is_cancelled() -> None:
    order = told(status="refunded")

    assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, CancelReason.CUSTOMER)


@pytest.mark.parametrize(
    ("overrides", "reason"),
    [
        pytest.param({"status": "wc-packed"}, UndecodableReason.UNKNOWN_TYPE, id="own_status"),
        pytest.param({"date_modified_gmt": None}, UndecodableReason.INVALID, id="no_revision"),
        pytest.param({"date_modified_gmt": "1999-01-01T00:00:00"}, UndecodableReason.INVALID,
                     id="too_old"),
        pytest.param({"line_items": [{"id": 1, "product_id": 11, "quantity": 1.5}]},
                     UndecodableReason.INVALID, id="half_a_unit"),
        pytest.param({"line_items": [{"id": 1, "product_id": 11, "quantity": -1}]},
                     UndecodableReason.INVALID, id="negative"),
        pytest.param({"line_items": [{"id": 1, "product_id": 11, "quantity": 10**10}]},
                     UndecodableReason.INVALID, id="beyond_the_bound"),
    ],
)  # fmt: skip
def test_what_no_contract_holds_is_refused_with_a_reason(
    overrides: dict[str, Any], reason: UndecodableReason
) -> None:
    found = read_of(a_woo_order(**overrides))

    assert isinstance(found, Undecodable)
    assert found.reason is reason


def test_a_line_of_no_product_is_left_out() -> None:
    order = told(line_items=[{"id": 1, "product_id": 0, "variation_id": 0, "quantity": 1}])

    assert order.lines == ()


@pytest.mark.parametrize("payload", [None, [], "order", {"id": 501}, {"line_items": 3}])
def test_what_is_no_order_is_not_kept(payload: Any) -> None:
    assert redact(payload, CHANNEL, KEY) is None
