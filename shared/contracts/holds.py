"""Holds over HTTP: units set aside for a cart, an order, a customer in a store; and the answers."""

from enum import StrEnum
from typing import Annotated, Final, Self

from pydantic import Field, model_validator

from .fields import (
    ChannelId,
    CountedQuantity,
    CustomerRef,
    Identifier,
    KeyId,
    LocationId,
    Moment,
    Quantity,
    Sku,
)
from .orders import Method
from .records import Record

LINES_MAX: Final = 200
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class Purpose(StrEnum):
    """What units are held for. The first three end by themselves."""

    CART = "cart"
    ORDER = "order"
    IN_STORE = "in_store"
    TRANSFER = "transfer"
    RING_FENCE = "ring_fence"
    RECALL = "recall"


class RefusalReason(StrEnum):
    """Why units are not held, in order of precedence."""

    UNKNOWN_SKU = "unknown_sku"
    UNKNOWN_CHANNEL = "unknown_channel"
    CHANNEL_CLOSED = "channel_closed"
    SKU_CLOSED = "sku_closed"
    UNKNOWN_LOCATION = "unknown_location"
    LOCATION_NOT_OF_CHANNEL = "location_not_of_channel"
    LOCATION_CLOSED = "location_closed"
    LOCATION_EXCLUDED = "location_excluded"
    LOCATION_SUSPENDED = "location_suspended"
    LOCATION_NOT_ABLE = "location_not_able"
    EXCEEDS_ORDER_LIMIT = "exceeds_order_limit"
    EXCEEDS_CUSTOMER_LIMIT = "exceeds_customer_limit"
    EXCEEDS_PRE_ORDER_LIMIT = "exceeds_pre_order_limit"
    EXCEEDS_BACK_ORDER_LIMIT = "exceeds_back_order_limit"
    NOT_EXPECTED_IN_TIME = "not_expected_in_time"
    QUANTITY_EXCEEDS_OFFERED = "quantity_exceeds_offered"
    QUANTITY_EXCEEDS_POOL = "quantity_exceeds_pool"
    ANOTHER_LINE_REFUSED = "another_line_refused"


class HoldState(StrEnum):
    """How a hold stands."""

    HELD = "held"
    REFUSED = "refused"
    RELEASED = "released"
    EXPIRED = "expired"
    CONFIRMED = "confirmed"
    TAKEN = "taken"
    """A movement in the hold's name has taken the units: handed over, picked or dispatched."""


class HoldLine(Record):
    """Units of one SKU at one location, at any of several, or from the channel's pool."""

    sku: Sku
    quantity: Quantity
    locations: Annotated[tuple[LocationId, ...], Field(max_length=500)] = ()
    """Best first; empty: the channel's pool in its order."""
    may_split: bool = True
    """May several locations serve the line where none can serve it whole?"""


class Beneficiary(Record):
    """Whom units are held for."""

    channel: ChannelId | None = None
    customer_ref: CustomerRef | None = None
    order_id: KeyId | None = None


class Until(Record):
    """When a hold ends: at a moment, so many seconds from when it is decided, or when the last of
    the places that are named closes on the first day after today on which it opens; one of them.
    """

    until: Moment | None = None
    ttl_seconds: Seconds | None = None
    closing_of_next_open_day: bool = False

    @model_validator(mode="after")
    def _has_one_end(self) -> Self:
        told = (self.until is not None, self.ttl_seconds is not None, self.closing_of_next_open_day)
        if sum(told) > 1:
            raise ValueError("a hold has `until`, `ttl_seconds` or `closing_of_next_open_day`")
        return self


class HoldRequest(Until):
    """What a cart asks for: all of its lines or nothing, or what there is if `partial`.

    Without `hold_id` the header `Idempotency-Key` is the hold's id. The same id with the same
    request gets the same answer, with another request a conflict. Decided under the terms that
    the channel is shown; who names no channel must name locations.
    """

    hold_id: Identifier | None = None
    purpose: Purpose
    channel: ChannelId | None = None
    method: Method | None = None
    beneficiary: Beneficiary | None = None
    lines: Annotated[tuple[HoldLine, ...], Field(min_length=1, max_length=LINES_MAX)]
    partial: bool = False
    may_wait: bool = False
    """May a cart or an order hold units that are still to come, where policies let it?"""

    @model_validator(mode="after")
    def _says_where(self) -> Self:
        if self.channel is None and not all(line.locations for line in self.lines):
            raise ValueError("a line without locations is served from the pool of a `channel`")
        if self.closing_of_next_open_day and not all(line.locations for line in self.lines):
            raise ValueError("who holds until closing time names the locations of every line")
        return self


class Extend(Until):
    """When a hold ends from now on."""

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if self.until is None and self.ttl_seconds is None and not self.closing_of_next_open_day:
            raise ValueError("a hold is extended to `until`, by `ttl_seconds`, or to closing time")
        return self


class Confirm(Record):
    """The order that a hold becomes: its first line the first of `line_ids`, and so on."""

    order_id: KeyId
    line_ids: Annotated[tuple[KeyId, ...], Field(min_length=1, max_length=LINES_MAX)]


class Held(Record):
    """Units at one location."""

    location: LocationId
    quantity: Quantity


class Refused(Record):
    """Units that are not held, why, and how many would have been possible in all."""

    reason: RefusalReason
    quantity: Quantity
    possible: CountedQuantity


class HeldLine(Record):
    """What became of one line."""

    sku: Sku
    held: tuple[Held, ...] = ()
    waiting: Quantity | None = None
    """Of the held units, those that are still to come."""
    promised_at: Moment | None = None
    """When what waits is expected to have come, and a pre-order's sale has begun."""
    refused: Refused | None = None


class EndReason(StrEnum):
    """Why a hold has expired, where more is known than that its time was over."""

    NO_SHOW = "no_show"


class Hold(Record):
    """What became of a request, and how it stands."""

    hold_id: Identifier
    state: HoldState
    until: Moment | None = None
    reason: EndReason | None = None
    """Nobody came for what was held in a store."""
    lines: tuple[HeldLine, ...]
