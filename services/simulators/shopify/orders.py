"""The orders of a simulated Shopify shop: what they take, give back and send, and how they read.

Source: shopify.dev, the REST Admin resources Order and Refund as webhooks carry them. Units of a
line are open (to be sent), fulfilled, or taken back; `fulfillable_quantity` counts the open ones.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from services.simulators.shopify.persons import PERSONAL
from services.simulators.shopify.stock import Item, ShopError, Stock

RESTOCK_TYPES = frozenset({"cancel", "return", "no_restock"})
CANCEL_REASONS = frozenset({"customer", "fraud", "inventory", "declined", "staff", "other"})
PRICE = "10.00"
FIRST_ID = 5_000_000_001


@dataclass(slots=True, kw_only=True)
class Line:
    """A line; `places` says where its open units are set aside."""

    id: int
    item: Item
    quantity: int
    places: dict[int, int]
    fulfilled: int = 0
    returned: int = 0
    refunded: int = 0

    @property
    def open_units(self) -> int:
        return sum(self.places.values())

    def take(self, units: int) -> list[tuple[int, int]]:
        """(location, units) of so many open units, which are open no more."""
        taken: list[tuple[int, int]] = []
        for location, there in list(self.places.items()):
            part = min(there, units)
            self.places[location] -= part
            units -= part
            if part:
                taken.append((location, part))
        assert units == 0, self
        return taken

    def view(self) -> dict[str, Any]:
        """The line's JSON."""
        return {
            "id": self.id, "variant_id": self.item.variant_id, "sku": self.item.sku,
            "name": self.item.sku, "title": self.item.sku, "quantity": self.quantity,
            "current_quantity": self.quantity - self.refunded,
            "fulfillable_quantity": self.open_units, "price": PRICE, "properties": [],
            "fulfillment_status": "fulfilled" if self.fulfilled == self.quantity else None,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Order:
    """An order, paid at once. It never carries a real person: see `persons.py`."""

    id: int
    number: int
    lines: list[Line]
    created_us: int
    updated_us: int
    cancelled_us: int | None = None
    cancel_reason: str | None = None
    refunds: list[dict[str, Any]] = field(default_factory=list)
    fulfillments: list[dict[str, Any]] = field(default_factory=list)

    @property
    def financial_status(self) -> str:
        refunded = sum(line.refunded for line in self.lines)
        if not refunded:
            return "paid"
        ordered = sum(line.quantity for line in self.lines)
        return "refunded" if refunded == ordered else "partially_refunded"

    @property
    def fulfillment_status(self) -> str | None:
        if not self.fulfillments:
            return None
        return "partial" if any(line.open_units for line in self.lines) else "fulfilled"

    def view(self) -> dict[str, Any]:
        """The order's JSON."""
        return PERSONAL | {
            "id": self.id, "admin_graphql_api_id": f"gid://shopify/Order/{self.id}",
            "name": f"#{self.number}", "order_number": self.number, "currency": "EUR",
            "created_at": moment(self.created_us), "updated_at": moment(self.updated_us),
            "cancelled_at": None if self.cancelled_us is None else moment(self.cancelled_us),
            "cancel_reason": self.cancel_reason, "closed_at": None,
            "financial_status": self.financial_status,
            "fulfillment_status": self.fulfillment_status,
            "line_items": [line.view() for line in self.lines],
            "fulfillments": self.fulfillments, "refunds": self.refunds,
        }  # fmt: skip


class Orders:
    """The orders over a shop's stock. Moments are microseconds since 1970, told by the caller."""

    def __init__(self, stock: Stock) -> None:
        self.orders: dict[int, Order] = {}
        self._stock = stock
        self._last_id = FIRST_ID - 1

    def new_id(self) -> int:
        """The next id of anything."""
        self._last_id += 1
        return self._last_id

    def count_from(self, number: int) -> None:
        """What comes next has this number or a higher one: a shop whose past is not simulated."""
        self._last_id = max(self._last_id, number - 1)

    def order(self, order_id: int) -> Order:
        """Raises ShopError for an order that was never placed."""
        if (found := self.orders.get(order_id)) is None:
            raise ShopError("Not Found", 404)
        return found

    def place(self, wanted: list[tuple[Item, int]], now_us: int) -> Order:
        """Take an order, all lines or none: the checkout sells what is shown and no more."""
        asked: dict[int, int] = {}
        for item, quantity in wanted:
            asked[item.id] = asked.get(item.id, 0) + quantity
            if item.shown < asked[item.id]:
                raise ShopError(f"Not enough stock of {item.sku}: {item.shown} left.")
        lines = [
            Line(id=self.new_id(), item=item, quantity=units, places=_set_aside(item, units))
            for item, units in wanted
        ]
        number = 1001 + len(self.orders)
        order = Order(
            id=self.new_id(), number=number, lines=lines, created_us=now_us, updated_us=now_us
        )
        self.orders[order.id] = order
        return order

    def refund(self, order: Order, told: list[dict[str, Any]], now_us: int) -> dict[str, Any]:
        """Take units back, all lines or none. `cancel` puts open units back on sale, `return` puts
        sent ones back, `no_restock` gives only the money (open units first).
        """
        by_id = {line.id: line for line in order.lines}
        chosen: dict[tuple[int, str], int] = {}
        for one in told:
            key = int(one["line_item_id"]), str(one.get("restock_type", "no_restock"))
            chosen[key] = chosen.get(key, 0) + int(one["quantity"])
        for line_id, line in by_id.items():
            _check_refund(line, {kind: n for (of, kind), n in chosen.items() if of == line_id})
        if not chosen or any(line_id not in by_id for line_id, _ in chosen):
            raise ShopError("Refund line items are invalid.")
        lines = [
            self._refunded(by_id[line_id], kind, units) for (line_id, kind), units in chosen.items()
        ]
        refund = {
            "id": self.new_id(), "order_id": order.id, "created_at": moment(now_us), "note": "",
            "restock": any(line["restock_type"] != "no_restock" for line in lines),
            "refund_line_items": lines,
        }  # fmt: skip
        order.refunds.append(refund)
        order.updated_us = now_us
        return refund

    def cancel(self, order: Order, reason: str, now_us: int) -> dict[str, Any]:
        """Cancel what is not yet sent at all, and refund it; the refund."""
        if order.cancelled_us is not None or order.fulfillments:
            raise ShopError("Cannot cancel an order that is cancelled or fulfilled already.")
        if reason not in CANCEL_REASONS:
            raise ShopError("The reason is invalid.")
        lines = [
            {"line_item_id": line.id, "quantity": line.open_units, "restock_type": "cancel"}
            for line in order.lines
            if line.open_units
        ]
        refund = self.refund(order, lines, now_us) if lines else {}
        order.cancelled_us, order.cancel_reason = now_us, reason
        return refund

    def fulfill(self, order: Order, now_us: int) -> dict[str, Any]:
        """Send everything that is open; the fulfilment."""
        lines: list[dict[str, Any]] = []
        for line in order.lines:
            if units := line.open_units:
                for location, part in line.take(units):
                    line.item.levels[location].committed -= part
                line.fulfilled += units
                lines.append(line.view() | {"quantity": units})
        if not lines:
            raise ShopError("Nothing of the order is open.")
        fulfillment = {
            "id": self.new_id(), "order_id": order.id, "status": "success",
            "created_at": moment(now_us), "line_items": lines,
        }  # fmt: skip
        order.fulfillments.append(fulfillment)
        order.updated_us = now_us
        return fulfillment

    def _refunded(self, line: Line, kind: str, units: int) -> dict[str, Any]:
        location = self._stock.locations[0]
        if kind == "return":
            line.returned += units
            line.item.levels[location].available += units
        else:
            for place, part in line.take(min(units, line.open_units)):
                level = line.item.levels[place]
                level.committed -= part
                level.available += part if kind == "cancel" else 0
                location = place
        line.refunded += units
        return {
            "id": self.new_id(), "line_item_id": line.id, "quantity": units,
            "restock_type": kind, "location_id": None if kind == "no_restock" else location,
            "line_item": line.view(),
        }  # fmt: skip


def _check_refund(line: Line, kinds: dict[str, int]) -> None:
    total = sum(kinds.values())
    is_valid = (
        set(kinds) <= RESTOCK_TYPES
        and all(units > 0 for units in kinds.values())
        and total <= line.quantity - line.refunded
        and kinds.get("cancel", 0) <= line.open_units
        and kinds.get("return", 0) <= line.fulfilled - line.returned
    )
    if not is_valid:
        raise ShopError("Refund cannot take back more than is left.")


def _set_aside(item: Item, units: int) -> dict[int, int]:
    """Units from the first locations that have some: for sale no more, but still on hand."""
    places: dict[int, int] = {}
    for location, level in item.levels.items():
        part = min(max(0, level.available), units)
        if part:
            level.available -= part
            level.committed += part
            places[location] = part
            units -= part
    return places


def moment(microseconds: int) -> str:
    """Shopify's dates: whole seconds, with an offset."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).isoformat()
