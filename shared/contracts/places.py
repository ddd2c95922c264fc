"""Reference data about where and through whom: locations, calendars, channels."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .dated import Dated
from .fields import (
    ChannelId,
    Code,
    CountedQuantity,
    Country,
    Day,
    KeyId,
    LocationId,
    Number,
    Quantity,
    Zone,
)
from .orders import Method, OrderState
from .products import Category, Mode
from .records import Record

TimeOfDay = Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$")]


class LocationKind(StrEnum):
    """What a location is."""

    CENTRAL = "central"
    HUB = "hub"
    STORE = "store"
    RETURNS_CENTRE = "returns_centre"
    THIRD_PARTY = "third_party"
    CHANNEL_FULFILMENT = "channel_fulfilment"
    SUPPLIER = "supplier"


class Capability(StrEnum):
    """What a location can do."""

    COLLECT = "collect"
    SHIP = "ship"
    RESERVE = "reserve"
    RETURNS = "returns"


class Coordinates(Record):
    """Degrees, WGS 84."""

    latitude: Annotated[float, Field(ge=-90, le=90, allow_inf_nan=False)]
    longitude: Annotated[float, Field(ge=-180, le=180, allow_inf_nan=False)]


class Location(Dated):
    """A place that holds stock."""

    NAMED_BY: ClassVar = ("location_id", "from_")

    kind: Literal["location"]
    location_id: LocationId
    location_kind: LocationKind
    country: Country | None = None
    time_zone: Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9_+/-]+$")] = "UTC"
    """IANA's name."""
    zone: Zone | None = None
    coordinates: Coordinates | None = None
    legal_entity: Code | None = None
    group: Code | None = None
    """The location group that policies may name."""
    capabilities: Annotated[tuple[Capability, ...], Field(max_length=20)] = ()
    calendar: KeyId | None = None


class Weekday(StrEnum):
    """ISO's week."""

    MONDAY = "monday"
    TUESDAY = "tuesday"
    WEDNESDAY = "wednesday"
    THURSDAY = "thursday"
    FRIDAY = "friday"
    SATURDAY = "saturday"
    SUNDAY = "sunday"


class OpeningHours(Record):
    """Open from `opens` until before `closes`, in the location's own time."""

    day: Weekday
    opens: TimeOfDay
    closes: TimeOfDay


class ExceptionalDay(Record):
    """A date with other hours; closed all day when it has none."""

    date: Day
    opens: TimeOfDay | None = None
    closes: TimeOfDay | None = None


class MethodTerms(Record):
    """What a place promises for one method."""

    method: Method
    cut_off: TimeOfDay | None = None
    preparation_minutes: Annotated[int, Field(ge=0, le=525_600)] = 0
    daily_capacity: CountedQuantity | None = None


class Calendar(Dated):
    """When a place works and how fast."""

    NAMED_BY: ClassVar = ("calendar_id", "from_")

    kind: Literal["calendar"]
    calendar_id: KeyId
    opening_hours: Annotated[tuple[OpeningHours, ...], Field(max_length=50)] = ()
    exceptional_days: Annotated[tuple[ExceptionalDay, ...], Field(max_length=1000)] = ()
    methods: Annotated[tuple[MethodTerms, ...], Field(max_length=20)] = ()
    daily_capacity: Quantity | None = None


class ChannelKind(StrEnum):
    """What a channel is."""

    WEBSHOP = "webshop"
    MARKETPLACE = "marketplace"
    STORE = "store"
    B2B = "b2b"
    SOCIAL = "social"
    OTHER = "other"


class LocationMode(Record):
    """The mode of a channel at one location."""

    location: LocationId
    mode: Mode


class CategoryMode(Record):
    """The mode of a channel for one category."""

    category: Category
    mode: Mode


class Channel(Dated):
    """Through whom we sell, and from which locations, in order."""

    NAMED_BY: ClassVar = ("channel", "from_")

    kind: Literal["channel"]
    channel: ChannelId
    channel_kind: ChannelKind = ChannelKind.WEBSHOP
    country: Country | None = None
    pool: Annotated[tuple[LocationId, ...], Field(max_length=500)] = ()
    methods: Annotated[tuple[Method, ...], Field(max_length=20)] = ()
    priority: Number = 0
    """Lower comes first."""
    holds_from: OrderState = OrderState.CONFIRMED
    """The state of an order from which stock is held for it."""
    mode: Mode = Mode.LIVE
    location_modes: Annotated[tuple[LocationMode, ...], Field(max_length=500)] = ()
    category_modes: Annotated[tuple[CategoryMode, ...], Field(max_length=500)] = ()
