"""The state of a simulated WooCommerce shop: entries with stock, orders that take from it."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

TAKES_STOCK = frozenset({"processing", "on-hold", "completed"})
GIVES_BACK = frozenset({"cancelled", "pending"})
STATUSES = TAKES_STOCK | GIVES_BACK | {"refunded", "failed"}
STOCK_MAX = 2**31 - 1


class ShopError(Exception):
    """An error as WordPress shapes it: a code, a message, and a status of its own."""

    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(message)
        self.code, self.message, self.status = code, message, status

    def body(self) -> dict[str, Any]:
        """The JSON of the error."""
        return {"code": self.code, "message": self.message, "data": {"status": self.status}}


@dataclass(slots=True, kw_only=True)
class Entry:
    """A product, or a variation of product `parent`."""

    id: int
    parent: int = 0
    sku: str = ""
    manage_stock: bool = False
    stock_quantity: int | None = None
    backorders: str = "no"
    modified_us: int = 0

    def view(self) -> dict[str, Any]:
        """What the REST interface shows of it, as far as stock goes."""
        quantity = self.stock_quantity
        status = "instock"
        if self.manage_stock and (quantity or 0) <= 0:
            status = "outofstock" if self.backorders == "no" else "onbackorder"
        return {
            "id": self.id, "sku": self.sku, "parent_id": self.parent, "status": "publish",
            "manage_stock": self.manage_stock, "stock_quantity": quantity,
            "stock_status": status, "backorders": self.backorders,
            "date_modified_gmt": gmt(self.modified_us),
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Line:
    """A line of an order; `refunded` units went back."""

    id: int
    entry: Entry
    quantity: int
    refunded: int = 0

    def view(self) -> dict[str, Any]:
        """The line's JSON."""
        parent, own = self.entry.parent, self.entry.id
        return {
            "id": self.id, "product_id": parent or own, "variation_id": own if parent else 0,
            "quantity": self.quantity, "sku": self.entry.sku,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Order:
    """An order; `has_taken` says whether its stock is off the shelf in the shop's eyes."""

    id: int
    status: str
    lines: list[Line]
    created_us: int
    modified_us: int
    refunds: list[dict[str, Any]] = field(default_factory=list)
    has_taken: bool = False

    def view(self) -> dict[str, Any]:
        """The order's JSON; it carries no person."""
        return {
            "id": self.id, "number": str(self.id), "status": self.status, "currency": "EUR",
            "date_created_gmt": gmt(self.created_us), "date_modified_gmt": gmt(self.modified_us),
            "line_items": [line.view() for line in self.lines], "refunds": self.refunds,
        }  # fmt: skip


class Shop:
    """Products, variations and orders. Times are microseconds since 1970, given by the caller."""

    def __init__(self) -> None:
        self.entries: dict[int, Entry] = {}
        self.orders: dict[int, Order] = {}
        self._last_id = 0

    def new_id(self) -> int:
        """The next id: WordPress numbers posts of every kind in one row."""
        self._last_id += 1
        return self._last_id

    def count_from(self, number: int) -> None:
        """What comes next has this number or a higher one: a shop whose past is not simulated."""
        self._last_id = max(self._last_id, number - 1)

    def add(self, entry: Entry) -> Entry:
        """Put an entry in, under the id it has."""
        self.entries[entry.id] = entry
        self._last_id = max(self._last_id, entry.id)
        return entry

    def entry(self, entry_id: object, parent: int) -> Entry:
        """The entry that a route may touch. Raises ShopError as Woo does."""
        found = self.entries.get(entry_id) if isinstance(entry_id, int) else None
        if parent:
            if found is None or found.parent != parent:
                code = "woocommerce_rest_product_variation_invalid_id"
                raise ShopError(code, "Invalid ID.", 404)
            return found
        if found is None:
            raise ShopError("woocommerce_rest_product_invalid_id", "Invalid ID.", 400)
        if found.parent:
            message = (
                "To manipulate product variations you should use the "
                "/products/&lt;product_id&gt;/variations/&lt;id&gt; endpoint."
            )
            raise ShopError("woocommerce_rest_invalid_product_id", message, 404)
        return found

    def write(self, entry: Entry, fields: dict[str, Any], now_us: int) -> None:
        """Set what is given. Quantities are integers: Woo's schema refuses anything else."""
        quantity = fields.get("stock_quantity", entry.stock_quantity)
        is_whole = isinstance(quantity, int) and not isinstance(quantity, bool)
        if quantity is not None and not (is_whole and abs(quantity) <= STOCK_MAX):
            message = "Invalid parameter(s): stock_quantity"
            raise ShopError("rest_invalid_param", message, 400)
        entry.manage_stock = bool(fields.get("manage_stock", entry.manage_stock))
        entry.stock_quantity = quantity if entry.manage_stock else None
        entry.backorders = str(fields.get("backorders", entry.backorders))
        entry.sku = str(fields.get("sku", entry.sku))
        entry.modified_us = now_us

    def place(self, wanted: list[tuple[Entry, int]], status: str, now_us: int) -> Order:
        """Take an order, all lines or none. Raises ShopError when less is shown than asked for.

        The check is the one of the shop's checkout; the reduction is `wc_reduce_stock_levels`.
        """
        asked: dict[int, int] = {}
        for entry, quantity in wanted:
            asked[entry.id] = asked.get(entry.id, 0) + quantity
            shown = entry.stock_quantity or 0
            if entry.manage_stock and entry.backorders == "no" and shown < asked[entry.id]:
                code = "woocommerce_rest_product_out_of_stock"
                raise ShopError(code, f"Not enough stock: {shown} left.", 400)
        lines = [Line(id=self.new_id(), entry=e, quantity=q) for e, q in wanted]
        order = Order(
            id=self.new_id(), status=status, lines=lines, created_us=now_us, modified_us=now_us
        )
        self.orders[order.id] = order
        self._move_stock(order, now_us)
        return order

    def change_status(self, order: Order, status: str, now_us: int) -> None:
        """Move an order on; cancelling gives its stock back, once."""
        if status not in STATUSES:
            raise ShopError("rest_invalid_param", "Invalid parameter(s): status", 400)
        order.status, order.modified_us = status, now_us
        self._move_stock(order, now_us)

    def refund(
        self, order: Order, quantities: dict[int, int], now_us: int, *, restocks: bool = True
    ) -> dict[str, Any]:
        """Take units back (line id → units), and restock them if asked (`api_restock`, which is
        the default); with all of them the order is refunded.
        """
        by_id = {line.id: line for line in order.lines}
        for line_id, quantity in quantities.items():
            line = by_id.get(line_id)
            if line is None or not 0 < quantity <= line.quantity - line.refunded:
                raise ShopError("woocommerce_rest_invalid_order_refund", "Invalid refund.", 400)
        for line_id, quantity in quantities.items():
            by_id[line_id].refunded += quantity
            if restocks:
                _add(by_id[line_id].entry, quantity, now_us)
        refund = {"id": self.new_id(), "reason": "", "total": "0.00"}
        order.refunds.append(refund)
        order.modified_us = now_us
        if all(line.refunded == line.quantity for line in order.lines):
            order.status = "refunded"
        return refund

    def _move_stock(self, order: Order, now_us: int) -> None:
        wants = order.status in TAKES_STOCK or (order.has_taken and order.status not in GIVES_BACK)
        if wants == order.has_taken:
            return
        order.has_taken = wants
        for line in order.lines:
            left = line.quantity - line.refunded
            _add(line.entry, -left if wants else left, now_us)


def _add(entry: Entry, quantity: int, now_us: int) -> None:
    if entry.manage_stock:
        entry.stock_quantity = (entry.stock_quantity or 0) + quantity
        entry.modified_us = now_us


def gmt(microseconds: int) -> str:
    """Woo's `_gmt` dates: whole seconds, no zone."""
    return datetime.fromtimestamp(microseconds // 1_000_000, UTC).strftime("%Y-%m-%dT%H:%M:%S")
