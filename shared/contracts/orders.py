"""Orders: the latest full state of an order as its channel tells it, folded, never a delta."""

from datetime import datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, model_validator

from .fields import (
    ChannelId,
    CountedQuantity,
    Currency,
    CustomerRef,
    Identifier,
    KeyId,
    LocationId,
    Moment,
    Money,
    Number,
    Quantity,
    Sku,
    Zone,
)
from .records import Message, Record

LINES_MAX: Final = 1000


class OrderState(StrEnum):
    """How far the channel is with an order."""

    PENDING_PAYMENT = "pending_payment"
    PENDING_ACCEPTANCE = "pending_acceptance"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class CancelReason(StrEnum):
    """Why an order was cancelled; `no_stock` is ours to answer for."""

    CUSTOMER = "customer"
    NO_STOCK = "no_stock"
    PAYMENT = "payment"
    NO_SHOW = "no_show"
    OTHER = "other"


class Method(StrEnum):
    """How goods get to the customer."""

    HOME = "home"
    RELAY = "relay"
    LOCKER = "locker"
    COLLECT = "collect"
    IN_STORE_HOLD = "in_store_hold"
    IN_STORE = "in_store"


class FulfilledBy(StrEnum):
    """Whose stock serves a listing or an order line."""

    US = "us"
    CHANNEL = "channel"
    SUPPLIER = "supplier"


class FulfilmentState(StrEnum):
    """How far a location is with its part of an order."""

    ASSIGNED = "assigned"
    ACCEPTED = "accepted"
    PICKED = "picked"
    READY = "ready"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    COLLECTED = "collected"
    SHORT = "short"
    NO_SHOW = "no_show"
    RETURNED_TO_SENDER = "returned_to_sender"
    CANCELLED = "cancelled"


class OrderLine(Record):
    """What was ordered. `cancelled`, `shipped` and `returned` are totals that never fall."""

    line_id: KeyId
    sku: Sku | None = None
    """What it is; a channel that does not know our SKU gives its `listing`."""
    listing: KeyId | None = None
    """The channel's own id of what was sold."""
    quantity: Quantity
    """As ordered, in units of the listing or base units of the SKU."""
    cancelled: CountedQuantity = 0
    shipped: CountedQuantity = 0
    returned: CountedQuantity = 0
    unit_price: Money | None = None
    currency: Currency | None = None
    promotion: Identifier | None = None
    method: Method | None = None
    fulfilled_by: FulfilledBy = FulfilledBy.US
    fulfil_from: LocationId | None = None
    """The place that the channel or the WMS has chosen: respected."""
    requested_for: Moment | None = None
    """Not wanted before."""
    promised_from: Moment | None = None
    promised_until: Moment | None = None
    """The first promise; never overwritten."""
    substitutes: Annotated[tuple[Sku, ...], Field(max_length=20)] = ()

    @model_validator(mode="after")
    def _names_what_was_sold(self) -> Self:
        if self.sku is None and self.listing is None:
            raise ValueError("a line names its sku or its listing")
        return self


class Fulfilment(Record):
    """One location's part of an order line."""

    line_id: KeyId
    location: LocationId
    quantity: Quantity
    state: FulfilmentState
    at: Moment
    carrier: Identifier | None = None
    parcel: Identifier | None = None


class Order(Message):
    """An order. Its revision is `version` where the channel counts one, else `updated_at`."""

    KEY: ClassVar = ("order_id",)
    PARTITION_KEY: ClassVar = ("order_id",)

    order_id: KeyId
    channel: ChannelId
    state: OrderState
    version: Number | None = None
    updated_at: Moment | None = None
    placed_at: Moment | None = None
    cancel_reason: CancelReason | None = None
    zone: Zone | None = None
    customer_ref: CustomerRef | None = None
    lines: Annotated[tuple[OrderLine, ...], Field(max_length=LINES_MAX)] = ()
    fulfilments: Annotated[tuple[Fulfilment, ...], Field(max_length=LINES_MAX)] = ()

    @model_validator(mode="after")
    def _has_a_revision(self) -> Self:
        if self.version is None and self.updated_at is None:
            raise ValueError("an order has a version or updated_at")
        return self

    @property
    def revision(self) -> int:
        """What orders two states of one order: the version, else microseconds since 1970."""
        return revision_of(self.version, self.updated_at)


def revision_of(version: int | None, updated_at: datetime | None) -> int:
    """The version, else `updated_at` in microseconds since 1970; one of them is given."""
    if version is not None:
        return version
    assert updated_at is not None, "a validated state has a version or updated_at"
    return int(updated_at.timestamp()) * 1_000_000 + updated_at.microsecond
