"""Publications: what a channel was last told about a listing, and whether it took."""

from enum import StrEnum
from typing import ClassVar

from .fields import (
    ChannelId,
    Code,
    Identifier,
    KeyId,
    LocationId,
    Moment,
    NaturalTotal,
    Number,
    Sku,
)
from .records import Message


class PublicationStatus(StrEnum):
    """How a publication ended."""

    ACKNOWLEDGED = "acknowledged"
    SATISFIED = "satisfied"
    REFUSED = "refused"
    UNKNOWN = "unknown"


class Publication(Message):
    """The latest attempt to tell one listing's figure, at one place where it is fed by place."""

    KEY: ClassVar = ("channel", "listing_id", "place")
    PARTITION_KEY: ClassVar = ("channel", "listing_id")

    channel: ChannelId
    listing_id: KeyId
    location: LocationId | None = None
    """Given when the channel is fed location by location."""
    sku: Sku
    version: Number
    """The version of the availability that was told."""
    value: NaturalTotal
    status: PublicationStatus
    attempt_id: Identifier | None = None
    """None when the value was the same as before: satisfied without a call."""
    idempotency_key: Identifier | None = None
    sent_at: Moment | None = None
    acknowledged_at: Moment | None = None
    error_code: Code | None = None

    @property
    def place(self) -> str:
        """The location's part of the key; empty for a listing with one figure."""
        return self.location or ""
