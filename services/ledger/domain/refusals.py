"""Why a request is refused: reasons in order of precedence, with what would have been possible."""

from enum import StrEnum
from typing import NamedTuple


class RefusalReason(StrEnum):
    """In order of precedence: of several reasons the first is told."""

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


PRECEDENCE = {reason: place for place, reason in enumerate(RefusalReason)}


class Refusal(NamedTuple):
    """`quantity` units are not held, for `reason`; `possible` would have been, all in all."""

    reason: RefusalReason
    quantity: int
    possible: int
