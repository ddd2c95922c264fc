"""The state of a simulated marketplace, as one shop sees it: its offers, and orders of them."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

PRICE: Final = 10.0
# Goods that have not left: an end here gives them back to the offer (unverified).
HERE: Final = frozenset({"WAITING_ACCEPTANCE", "WAITING_DEBIT_PAYMENT", "SHIPPING"})
OVER: Final = frozenset({"REFUSED", "CANCELED", "REFUNDED"})
# Whoever reads orders has to drop all of this.
PERSON: Final = {"firstname": "First", "lastname": "Last", "civility": "Mx", "locale": "en_GB"}
ADDRESS: Final = {
    **PERSON, "street_1": "1 Simulated Street", "city": "Town", "zip_code": "75011",
    "country": "France", "country_iso_code": "FRA", "phone": "+33100000000",
}  # fmt: skip


class MiraklError(Exception):
    """An error as Mirakl shapes it (unverified): a status and a message."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message

    def body(self) -> dict[str, Any]:
        """The JSON of the error."""
        return {"status": self.status, "message": self.message}


@dataclass(slots=True, kw_only=True)
class Offer:
    """What the shop sells: its own sku, and the units that customers may buy."""

    id: int
    sku: str
    quantity: int

    def view(self) -> dict[str, Any]:
        """The offer's JSON, as far as stock goes (OF21)."""
        return {
            "offer_id": self.id, "shop_sku": self.sku, "quantity": self.quantity,
            "active": self.quantity > 0, "price": PRICE, "currency_iso_code": "EUR",
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Line:
    """A line of an order. `quantity` stays as ordered (unverified), whatever is taken back."""

    id: str
    index: int
    offer: Offer
    quantity: int
    state: str
    refunds: list[dict[str, Any]] = field(default_factory=list)
    refunded: int = 0
    shipped_us: int | None = None

    @property
    def left(self) -> int:
        """Units that nobody has taken back."""
        return self.quantity - self.refunded

    def view(self) -> dict[str, Any]:
        """The line's JSON."""
        shipped = None if self.shipped_us is None else moment(self.shipped_us)
        return {
            "order_line_id": self.id, "order_line_index": self.index,
            "order_line_state": self.state, "offer_id": self.offer.id,
            "offer_sku": self.offer.sku, "product_title": f"Product {self.offer.sku}",
            "quantity": self.quantity, "price_unit": PRICE, "price": PRICE * self.quantity,
            "shipped_date": shipped, "cancelations": [], "refunds": self.refunds,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Order:
    """An order of one shop; times are microseconds since 1970."""

    id: str
    customer: int
    created_us: int
    updated_us: int
    state: str
    lines: list[Line]

    def view(self) -> dict[str, Any]:
        """The order's JSON, persons and all (OR11)."""
        customer = {
            **PERSON, "customer_id": f"customer-{self.customer}",
            "shipping_address": ADDRESS, "billing_address": ADDRESS,
        }  # fmt: skip
        return {
            "order_id": self.id, "commercial_id": self.id.removesuffix("-A"),
            "order_state": self.state, "created_date": moment(self.created_us),
            "last_updated_date": moment(self.updated_us), "currency_iso_code": "EUR",
            "customer": customer, "customer_notification_email": "first.last@mail.example",
            "shipping_type_code": "STANDARD", "order_lines": [line.view() for line in self.lines],
        }  # fmt: skip


class Marketplace:
    """Offers and orders. Every method that changes something is told the time."""

    def __init__(self) -> None:
        self.offers: dict[str, Offer] = {}
        self.orders: dict[str, Order] = {}
        self._first_order = 1
        self.accepts = False
        """The operator accepts every order by himself."""

    def count_from(self, number: int) -> None:
        """Orders are numbered from here on: a marketplace whose past is not simulated."""
        assert not self.orders, "before the first order"
        self._first_order = number

    def add(self, sku: str, quantity: int) -> Offer:
        """One offer more; offers are numbered from 1."""
        offer = Offer(id=len(self.offers) + 1, sku=sku, quantity=quantity)
        self.offers[sku] = offer
        return offer

    def place(self, wanted: list[tuple[str, int]], now_us: int) -> Order:
        """Take a customer's order, all lines or none; stock falls at once. Raises MiraklError."""
        asked = self._asked(wanted)
        number = self._first_order + len(self.orders)
        name = f"SIM_{number:06d}-A"
        order = Order(
            id=name, customer=1 + number % 1000, created_us=now_us, updated_us=now_us,
            state="WAITING_ACCEPTANCE",
            lines=[
                Line(id=f"{name}-{place}", index=place, offer=self.offers[sku], quantity=quantity,
                     state="WAITING_ACCEPTANCE")
                for place, (sku, quantity) in enumerate(wanted, start=1)
            ],
        )  # fmt: skip
        for sku, quantity in asked.items():
            self.offers[sku].quantity -= quantity
        self.orders[name] = order
        if self.accepts:
            self.accept(order, {line.id: True for line in order.lines}, now_us)
        return order

    def _asked(self, wanted: list[tuple[str, int]]) -> dict[str, int]:
        asked: dict[str, int] = {}
        for sku, quantity in wanted:
            if quantity < 1:
                raise MiraklError(400, "A quantity is at least 1.")
            asked[sku] = asked.get(sku, 0) + quantity
        for sku, quantity in asked.items():
            if (offer := self.offers.get(sku)) is None:
                raise MiraklError(404, f"There is no offer {sku}.")
            if offer.quantity < quantity:
                raise MiraklError(409, f"Not enough stock: {offer.quantity} left.")
        if not asked:
            raise MiraklError(400, "An order has lines.")
        return asked

    def order(self, name: str) -> Order:
        """The order. Raises MiraklError."""
        if (order := self.orders.get(name)) is None:
            raise MiraklError(404, "ORDER_NOT_FOUND: The requested order does not exist")
        return order

    def accept(self, order: Order, decisions: dict[str, bool], now_us: int) -> None:
        """The shop takes some lines and refuses others (OR21). Raises MiraklError."""
        _require(order, "WAITING_ACCEPTANCE")
        names = {line.id for line in order.lines}
        if set(decisions) - names:
            raise MiraklError(400, "ORDER_LINE_NOT_FOUND: not associated with the order")
        if names - set(decisions):
            raise MiraklError(400, "ORDER_LINE_ACCEPTANCE_DECISION_MISSING: lines are missing")
        for line in order.lines:
            if decisions[line.id]:
                line.state = "SHIPPING"
            else:
                _end(line, "REFUSED")
        order.state = "SHIPPING" if any(decisions.values()) else "REFUSED"
        order.updated_us = now_us

    def ship(self, order: Order, now_us: int) -> None:
        """Everything that is left goes out (OR24). Raises MiraklError."""
        _require(order, "SHIPPING")
        for line in order.lines:
            if line.state == "SHIPPING":
                line.state, line.shipped_us = "SHIPPED", now_us
        order.state, order.updated_us = "SHIPPED", now_us

    def cancel(self, order: Order, now_us: int) -> None:
        """The whole order ends before it is shipped (OR29). Raises MiraklError."""
        _require(order, "WAITING_ACCEPTANCE", "SHIPPING")
        for line in order.lines:
            if line.state in HERE:
                _end(line, "CANCELED")
        order.state, order.updated_us = "CANCELED", now_us

    def refund(self, line_id: str, quantity: int, now_us: int) -> dict[str, Any]:
        """Units of a line are paid back (OR28); with all lines over, so is the order."""
        order, line = self._line(line_id)
        if not 0 <= quantity <= line.left or line.state not in HERE | {"SHIPPED", "RECEIVED"}:
            raise MiraklError(400, "VALIDATION_ERROR: quantity")
        refund = {
            "id": f"{line.id}-r{len(line.refunds) + 1}", "quantity": quantity,
            "amount": PRICE * quantity, "created_date": moment(now_us),
            "refund_state": "REFUNDED",
        }  # fmt: skip
        line.refunds.append(refund)
        line.refunded += quantity
        if line.state in HERE:
            line.offer.quantity += quantity
        if line.left == 0:
            line.state = "REFUNDED"
        if all(one.state in OVER for one in order.lines):
            order.state = "CLOSED"
        order.updated_us = now_us
        return refund

    def listed(self, since_us: int, states: frozenset[str]) -> list[Order]:
        """Orders changed since, by creation (the only order that OR11 knows), then by id."""
        found = [
            order
            for order in self.orders.values()
            if order.updated_us >= since_us and (not states or order.state in states)
        ]
        return sorted(found, key=lambda order: (order.created_us, order.id))

    def _line(self, line_id: str) -> tuple[Order, Line]:
        for order in self.orders.values():
            for line in order.lines:
                if line.id == line_id:
                    return order, line
        raise MiraklError(404, "ORDER_LINE_NOT_FOUND: The requested line does not exist")


def _require(order: Order, *states: str) -> None:
    if order.state not in states:
        message = "ORDER_INVALID_STATE: Order is not in the expected state for this operation"
        raise MiraklError(400, message)


def _end(line: Line, state: str) -> None:
    """The line is over before its goods went: they can be bought again (unverified)."""
    line.offer.quantity += line.left
    line.state = state


def moment(microseconds: int) -> str:
    """Mirakl's dates: UTC, here with milliseconds."""
    text = datetime.fromtimestamp(microseconds / 1e6, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")
