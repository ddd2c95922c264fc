"""An order as it is now, folded from full states that come late, twice and in any order."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from services.orders.domain.joining import earlier, joined, larger

OURS = "us"


class OrderState(StrEnum):
    """How far the channel is with an order, in order of progress."""

    PENDING_PAYMENT = "pending_payment"
    PENDING_ACCEPTANCE = "pending_acceptance"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    CANCELLED = "cancelled"

    @property
    def rank(self) -> int:
        """The place in the order of progress."""
        return list(OrderState).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """What the customer was told first; `revision` is the state's that told it."""

    revision: int
    since: datetime | None
    until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A line as told by the state of `revision`; totals are the largest ever told.

    `quantity`, `cancelled`, `shipped` and `returned` are in base units of `sku` where the line
    names one, else in units of `listing`. `shorts` are places that looked for it in vain, and when
    they last did: a later state need not repeat them.
    """

    line_id: str
    revision: int
    quantity: int
    sku: str | None = None
    listing: str | None = None
    cancelled: int = 0
    shipped: int = 0
    returned: int = 0
    method: str | None = None
    fulfilled_by: str = OURS
    fulfil_from: str | None = None
    requested_for: datetime | None = None
    promise: Promise | None = None
    shorts: Mapping[str, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert self.sku is not None or self.listing is not None, self
        assert min(self.quantity, self.cancelled, self.shipped, self.returned) >= 0, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as told by the state of `revision`; `lines` by line id, gone ones included."""

    order_id: str
    revision: int
    channel: str
    state: OrderState
    cancel_reason: str | None = None
    placed_at: datetime | None = None
    zone: str | None = None
    lines: Mapping[str, OrderLine] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert all(line.revision <= self.revision for line in self.lines.values()), self
        assert all(name == line.line_id for name, line in self.lines.items()), self

    def wanted(self, line: OrderLine) -> int:
        """Ordered less cancelled, in the line's own units.

        Nothing of a cancelled order, and nothing of a line that the latest state doesn't name.
        What was shipped isn't subtracted: only the shipment movement consumes.
        """
        if self.state is OrderState.CANCELLED or line.revision < self.revision:
            return 0
        return max(0, line.quantity - line.cancelled)


def join_orders(one: Order, other: Order) -> Order:
    """The order that both states tell.

    The higher revision wins, equal ones merge by the larger of each (of states: the further one);
    cancelled, shipped and returned quantities never fall, and the first promise stays.
    """
    assert one.order_id == other.order_id, (one, other)
    older, newer = sorted((one, other), key=lambda order: order.revision)
    if older.revision == newer.revision:
        newer = _merge_orders(older, newer)
    return replace(
        newer,
        placed_at=earlier(one.placed_at, other.placed_at),
        lines=joined(one.lines, other.lines, join_lines),
    )


def join_lines(one: OrderLine, other: OrderLine) -> OrderLine:
    """The line that both states tell, by the same rules."""
    older, newer = sorted((one, other), key=lambda line: line.revision)
    if older.revision == newer.revision:
        newer = _merge_lines(older, newer)
    return replace(
        newer,
        cancelled=max(one.cancelled, other.cancelled),
        shipped=max(one.shipped, other.shipped),
        returned=max(one.returned, other.returned),
        promise=_first(one.promise, other.promise),
        shorts=joined(one.shorts, other.shorts, max),
    )


def _merge_orders(one: Order, other: Order) -> Order:
    return replace(
        one,
        channel=max(one.channel, other.channel),
        state=max(one.state, other.state, key=lambda state: state.rank),
        cancel_reason=larger(one.cancel_reason, other.cancel_reason),
        zone=larger(one.zone, other.zone),
    )


def _merge_lines(one: OrderLine, other: OrderLine) -> OrderLine:
    return replace(
        one,
        quantity=max(one.quantity, other.quantity),
        sku=larger(one.sku, other.sku),
        listing=larger(one.listing, other.listing),
        method=larger(one.method, other.method),
        fulfilled_by=max(one.fulfilled_by, other.fulfilled_by),
        fulfil_from=larger(one.fulfil_from, other.fulfil_from),
        requested_for=larger(one.requested_for, other.requested_for),
    )


def _first(one: Promise | None, other: Promise | None) -> Promise | None:
    if one is None or other is None:
        return other if one is None else one
    if one.revision == other.revision:
        return Promise(
            revision=one.revision,
            since=earlier(one.since, other.since),
            until=earlier(one.until, other.until),
        )
    return min(one, other, key=lambda promise: promise.revision)
