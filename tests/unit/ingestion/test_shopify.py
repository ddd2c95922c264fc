"""Shopify's payloads: what is kept of them, and which order or refund they tell."""

import json
from typing import Any

import pytest

from services.ingestion.channels import ToldOrder, ToldRefund
from services.ingestion.channels.shopify import read, redact
from shared.contracts.orders import CancelReason, Order, OrderState
from shared.contracts.records import Undecodable
from tests.unit.ingestion.builders import (
    CHANNEL,
    KEY,
    PERSONAL,
    a_shopify_order,
    a_shopify_refund,
)


def told(**overrides: Any) -> Order:
    """The order that a payload tells."""
    found = read_of(a_shopify_order(**overrides))
    assert isinstance(found, ToldOrder), found
    return found.order


def read_of(payload: dict[str, Any]) -> object:
    """What is read of a payload after the allow-list."""
    redacted = redact(payload, CHANNEL, KEY)
    assert redacted is not None
    return read(redacted, CHANNEL)


def a_line(**overrides: Any) -> dict[str, Any]:
    """Three of variant 11."""
    line = {
        "id": 1, "variant_id": 11, "quantity": 3, "current_quantity": 3, "fulfillable_quantity": 3,
        "price": "10.00",
    }  # fmt: skip
    return line | overrides


def sent(units: int, status: str = "success") -> dict[str, Any]:
    """A fulfilment of line 1."""
    return {"status": status, "line_items": [{"id": 1, "quantity": units}]}


def refunded(units: int, kind: str) -> dict[str, Any]:
    """A refund of line 1 inside an order."""
    line = {"line_item_id": 1, "quantity": units, "restock_type": kind}
    return {"id": 9, "refund_line_items": [line]}


@pytest.mark.parametrize(
    ("line", "fulfilments", "refunds", "expected"),
    [
        pytest.param(a_line(), [], [], (0, 0, 0), id="as_ordered"),
        pytest.param(a_line(fulfillable_quantity=1), [sent(2)], [], (0, 2, 0), id="two_of_three"),
        pytest.param(a_line(fulfillable_quantity=2, current_quantity=2), [],
                     [refunded(1, "cancel")], (1, 0, 0), id="one_taken_back_before_it_went"),
        pytest.param(a_line(fulfillable_quantity=2, current_quantity=2), [],
                     [refunded(1, "no_restock")], (1, 0, 0), id="taken_back_without_restock"),
        pytest.param(a_line(fulfillable_quantity=0, current_quantity=2), [sent(3)],
                     [refunded(1, "return")], (0, 3, 1), id="a_return_cancels_nothing"),
        pytest.param(a_line(fulfillable_quantity=0, current_quantity=2), [sent(3)],
                     [refunded(1, "no_restock")], (0, 3, 0), id="money_back_for_what_was_sent"),
        pytest.param(a_line(fulfillable_quantity=0), [sent(3, "open")], [], (0, 0, 0),
                     id="under_way_is_not_cancelled"),
        pytest.param(a_line(fulfillable_quantity=3), [sent(3, "cancelled")], [], (0, 0, 0),
                     id="a_cancelled_fulfilment_sent_nothing"),
        pytest.param(a_line(fulfillable_quantity=1, current_quantity=1), [], [], (2, 0, 0),
                     id="edited_away"),
        pytest.param(a_line(fulfillable_quantity=0), [], [], (0, 0, 0),
                     id="not_fulfillable_is_not_cancelled"),
    ],
)  # fmt: skip
def test_what_is_cancelled_shipped_and_returned(
    line: dict[str, Any], fulfilments: list[Any], refunds: list[Any], expected: tuple[int, int, int]
) -> None:
    order = told(line_items=[line], fulfillments=fulfilments, refunds=refunds)

    found = order.lines[0]
    assert (found.cancelled, found.shipped, found.returned) == expected


def test_a_cancelled_order_takes_back_what_was_not_shipped() -> None:
    order = told(
        cancelled_at="2026-06-01T14:00:00+02:00", cancel_reason="inventory",
        line_items=[a_line(fulfillable_quantity=0)], fulfillments=[sent(1)],
    )  # fmt: skip

    assert (order.state, order.cancel_reason) == (OrderState.CANCELLED, CancelReason.NO_STOCK)
    assert (order.lines[0].cancelled, order.lines[0].shipped) == (2, 1)


@pytest.mark.parametrize(
    ("overrides", "state"),
    [
        ({"financial_status": "pending"}, OrderState.PENDING_PAYMENT),
        ({"financial_status": "authorized"}, OrderState.CONFIRMED),
        ({"financial_status": "partially_refunded"}, OrderState.CONFIRMED),
        ({"closed_at": "2026-06-01T14:00:00+02:00"}, OrderState.CLOSED),
    ],
)
def test_each_state(overrides: dict[str, Any], state: OrderState) -> None:
    assert told(**overrides).state is state


def test_a_refund_tells_what_is_no_longer_wanted() -> None:
    refund = a_shopify_refund((1, 2, "cancel"), (2, 1, "return"))

    found = read_of(refund)

    assert found == ToldRefund(order_id="webshop:501", refund_id="9", cancelled={"1": 2})


def test_no_personal_field_is_kept() -> None:
    order = json.dumps(redact(a_shopify_order(), CHANNEL, KEY))
    refund = json.dumps(redact(a_shopify_refund((1, 1, "cancel")), CHANNEL, KEY))

    assert [word for word in PERSONAL if word in order + refund] == []


def test_an_unknown_payment_state_is_refused() -> None:
    assert isinstance(read_of(a_shopify_order(financial_status="bartered")), Undecodable)


def test_a_draft_order_is_no_order() -> None:
    draft = a_shopify_order(status="open")
    del draft["financial_status"]

    assert isinstance(read_of(draft), Undecodable)


def test_a_refund_without_its_order_is_refused() -> None:
    refund = a_shopify_refund((1, 1, "cancel")) | {"order_id": "Ada Lovelace"}

    assert isinstance(read_of(refund), Undecodable)
