"""Builders of what orders decides on, with one thing changed by keyword."""

from datetime import UTC, datetime

from services.orders.domain.folding import Order, OrderLine, OrderState
from services.orders.domain.references import ChannelTerms
from services.orders.domain.wishing import Known, Wish

NINE = datetime(2026, 6, 1, 9, tzinfo=UTC)


def a_line(**overrides: object) -> OrderLine:
    """Line 1: two units of S1, told by revision 1."""
    told: dict[str, object] = {"line_id": "1", "revision": 1, "quantity": 2, "sku": "S1"}
    return OrderLine(**(told | overrides))  # type: ignore[arg-type]  # fields by name


def an_order(*lines: OrderLine, **overrides: object) -> Order:
    """A confirmed order of the channel web at revision 1."""
    told: dict[str, object] = {
        "order_id": "O1", "revision": 1, "channel": "web", "state": OrderState.CONFIRMED,
        "lines": {line.line_id: line for line in lines or (a_line(),)},
    }  # fmt: skip
    return Order(**(told | overrides))  # type: ignore[arg-type]  # fields by name


def known(**overrides: object) -> Known:
    """The channel's pool is L1, L2; S1 and S2 exist."""
    told: dict[str, object] = {
        "channel": ChannelTerms(pool=("L1", "L2")), "sold": None, "skus": frozenset({"S1", "S2"}),
    }  # fmt: skip
    return Known(**(told | overrides))  # type: ignore[arg-type]  # fields by name


def a_wish(**overrides: object) -> Wish:
    """Two units of S1 from L1 or L2."""
    told: dict[str, object] = {
        "sku": "S1", "wanted": 2, "candidates": ("L1", "L2"), "may_split": True,
        "channel": "web", "method": None, "requested_for": None, "ordered_at": NINE,
    }  # fmt: skip
    return Wish(**(told | overrides))  # type: ignore[arg-type]  # fields by name
