"""Reference data: what the trade is made of, one dated record a message, told apart by `kind`."""

from typing import Annotated, Final

from pydantic import Field

from .partners import (
    Promotion,
    SnapshotUse,
    Source,
    SourceKind,
    SourceRole,
    SourceRule,
    Supplier,
)
from .places import (
    Calendar,
    Capability,
    Channel,
    ChannelKind,
    Coordinates,
    ExceptionalDay,
    Location,
    LocationKind,
    MethodTerms,
    OpeningHours,
    Weekday,
)
from .policies import Policy, Scope
from .products import (
    Assortment,
    IdentifierScheme,
    KitComponent,
    LifeCycle,
    Listing,
    Mode,
    Product,
    ProductCode,
    Revaluation,
    UnitLevel,
)

ReferenceRecord = Annotated[
    Product
    | ProductCode
    | Listing
    | Location
    | Calendar
    | Channel
    | Assortment
    | Revaluation
    | Supplier
    | Promotion
    | Source
    | Policy,
    Field(discriminator="kind"),
]
REFERENCE_RECORDS: Final = (
    Product,
    ProductCode,
    Listing,
    Location,
    Calendar,
    Channel,
    Assortment,
    Revaluation,
    Supplier,
    Promotion,
    Source,
    Policy,
)

__all__ = [
    "REFERENCE_RECORDS",
    "Assortment",
    "Calendar",
    "Capability",
    "Channel",
    "ChannelKind",
    "Coordinates",
    "ExceptionalDay",
    "IdentifierScheme",
    "KitComponent",
    "LifeCycle",
    "Listing",
    "Location",
    "LocationKind",
    "MethodTerms",
    "Mode",
    "OpeningHours",
    "Policy",
    "Product",
    "ProductCode",
    "Promotion",
    "ReferenceRecord",
    "Revaluation",
    "Scope",
    "SnapshotUse",
    "Source",
    "SourceKind",
    "SourceRole",
    "SourceRule",
    "Supplier",
    "UnitLevel",
    "Weekday",
]
