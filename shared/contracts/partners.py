"""Reference data about who tells and supplies: suppliers, promotions, sources of messages."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .accounts import MovementType
from .dated import Dated
from .fields import (
    ChannelId,
    CountedQuantity,
    Currency,
    KeyId,
    LocationId,
    Money,
    Sku,
)
from .records import Record

LeadTimeDays = Annotated[int, Field(ge=0, le=3650)]
Seconds = Annotated[int, Field(ge=1, le=31_536_000)]


class Supplier(Dated):
    """Who supplies, how fast and how little at least."""

    NAMED_BY: ClassVar = ("supplier_id", "from_")

    kind: Literal["supplier"]
    supplier_id: KeyId
    lead_time_days_median: LeadTimeDays | None = None
    lead_time_days_spread: LeadTimeDays | None = None
    """Days between the first and the ninth decile."""
    calendar: KeyId | None = None
    minimum_order_quantity: CountedQuantity = 0
    minimum_order_value: Money | None = None
    currency: Currency | None = None


class Promotion(Dated):
    """A price for some SKUs in some channels and places for some time."""

    NAMED_BY: ClassVar = ("promotion_id",)

    kind: Literal["promotion"]
    promotion_id: KeyId
    skus: Annotated[tuple[Sku, ...], Field(max_length=10_000)] = ()
    channels: Annotated[tuple[ChannelId, ...], Field(max_length=500)] = ()
    locations: Annotated[tuple[LocationId, ...], Field(max_length=500)] = ()
    price: Money | None = None
    currency: Currency | None = None


class SourceKind(StrEnum):
    """What a source of messages is."""

    WMS = "wms"
    POS = "pos"
    SHOP = "shop"
    MARKETPLACE = "marketplace"
    ERP = "erp"
    EDI = "edi"


class SourceRole(StrEnum):
    """Whether a source's word moves stock or is only compared."""

    POSTS = "posts"
    OBSERVES = "observes"


class SnapshotUse(StrEnum):
    """What a source's snapshots are good for."""

    COMPARE = "compare"
    COUNT = "count"


class SourceRule(Record):
    """The role for one location and movement type; an absent one stands for all."""

    location: LocationId | None = None
    movement_type: MovementType | None = None
    role: SourceRole


class Source(Dated):
    """Who sends messages (`ce_source`), which of them post, and how long it may be silent."""

    NAMED_BY: ClassVar = ("source_id", "from_")

    kind: Literal["source"]
    source_id: KeyId
    source_kind: SourceKind
    role: SourceRole = SourceRole.POSTS
    """For what no rule names."""
    rules: Annotated[tuple[SourceRule, ...], Field(max_length=1000)] = ()
    """The most specific wins: location and type, location, type."""
    snapshots: SnapshotUse = SnapshotUse.COMPARE
    heartbeat_seconds: Seconds | None = None
    max_silence_seconds: Seconds | None = None
    """In opening hours."""
