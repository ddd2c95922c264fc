"""Reference data about what is sold: products, their codes, their listings, their assortments."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from .dated import Dated
from .fields import (
    ChannelId,
    Code,
    CountedQuantity,
    Currency,
    Identifier,
    KeyId,
    LocationId,
    Moment,
    Money,
    Quantity,
    ShortText,
    Sku,
    Text,
)
from .orders import FulfilledBy
from .records import Record

Category = Annotated[tuple[ShortText, ...], Field(max_length=10)]


class Mode(StrEnum):
    """Whether figures are computed, and whether they are sent."""

    OFF = "off"
    SHADOW = "shadow"
    LIVE = "live"


class LifeCycle(Record):
    """When a product may be sold, and what comes after it."""

    on_sale_from: Moment | None = None
    phase_out_from: Moment | None = None
    end_of_life: Moment | None = None
    successor: Sku | None = None
    recalled: bool = False


class KitComponent(Record):
    """A part of a kit, in base units per kit."""

    sku: Sku
    quantity: Quantity


class Product(Dated):
    """What a SKU is."""

    NAMED_BY: ClassVar = ("sku", "from_")

    kind: Literal["product"]
    sku: Sku
    name: Text | None = None
    """The product's name."""
    category: Category = ()
    """The path, widest first."""
    segment: ShortText | None = None
    season: ShortText | None = None
    variant_parent: Sku | None = None
    base_unit: Code = "piece"
    tracks_lots: bool = False
    tracks_expiry: bool = False
    tracks_serials: bool = False
    life_cycle: LifeCycle = LifeCycle()
    kit: Annotated[tuple[KitComponent, ...], Field(max_length=100)] = ()
    unit_cost: Money | None = None
    currency: Currency | None = None

    @model_validator(mode="after")
    def _is_made_of_others(self) -> Self:
        parts = [part.sku for part in self.kit]
        if self.sku in parts or len(set(parts)) < len(parts):
            raise ValueError("a kit names each of its parts once, and never itself")
        return self


class IdentifierScheme(StrEnum):
    """Who gave a code."""

    GTIN = "gtin"
    SUPPLIER = "supplier"
    CHANNEL = "channel"
    INTERNAL = "internal"


class UnitLevel(StrEnum):
    """What a code stands on."""

    UNIT = "unit"
    INNER = "inner"
    CARTON = "carton"


class ProductCode(Dated):
    """A code of a SKU. There may be several, and a code may move to another SKU in time."""

    NAMED_BY: ClassVar = ("scheme", "issuer", "code", "from_")

    kind: Literal["identifier"]
    sku: Sku
    scheme: IdentifierScheme
    code: KeyId
    issuer: KeyId | None = None
    """The supplier or channel whose code it is."""
    unit: UnitLevel = UnitLevel.UNIT
    units_per_code: Quantity = 1
    """Base units that one scan of the code stands for."""


class Listing(Dated):
    """A SKU as one channel sells it."""

    NAMED_BY: ClassVar = ("channel", "listing_id", "from_")

    kind: Literal["listing"]
    channel: ChannelId
    listing_id: KeyId
    """The channel's own id of what it sells."""
    ids: Annotated[dict[Code, Identifier], Field(max_length=20)] = Field(default_factory=dict)
    """Further ids that the channel's interface asks for."""
    sku: Sku
    fulfilled_by: FulfilledBy = FulfilledBy.US
    units_per_listing: Quantity = 1
    mode: Mode | None = None
    """As the channel's when absent."""


class Revaluation(Dated):
    """From a moment on a unit of a SKU is worth so much to a legal entity, until something that has
    a cost comes in. `until` says nothing here.
    """

    NAMED_BY: ClassVar = ("sku", "legal_entity", "from_")

    kind: Literal["revaluation"]
    sku: Sku
    legal_entity: Code | None = None
    """That of locations that name none, if absent."""
    unit_cost: Money
    currency: Currency

    @model_validator(mode="after")
    def _says_when(self) -> Self:
        if self.from_ is None:
            raise ValueError("a revaluation says `from` when")
        return self


class Assortment(Dated):
    """A SKU belongs to a location's or a channel's assortment; stockouts are judged inside it."""

    NAMED_BY: ClassVar = ("sku", "location", "channel", "from_")

    kind: Literal["assortment"]
    sku: Sku
    location: LocationId | None = None
    channel: ChannelId | None = None
    minimum_display: CountedQuantity = 0

    @model_validator(mode="after")
    def _has_one_place(self) -> Self:
        if (self.location is None) is (self.channel is None):
            raise ValueError("an assortment is of a location or of a channel")
        return self
