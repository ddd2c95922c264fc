"""The double entry's accounts: the buckets, what each counts as, and each type's usual pair."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final, NamedTuple

OWN: Final = "own"


class MovementType(StrEnum):
    """What can happen to stock."""

    OPENING = "opening"
    RECEIPT = "receipt"
    INSPECTION = "inspection"
    SALE = "sale"
    PICK = "pick"
    SHIPMENT = "shipment"
    RETURN = "return"
    TRANSFER_DISPATCH = "transfer_dispatch"
    TRANSFER_RECEIPT = "transfer_receipt"
    SUPPLIER_RETURN = "supplier_return"
    CONVERSION = "conversion"
    COUNT = "count"
    ADJUSTMENT = "adjustment"
    DISPOSAL = "disposal"


class Bucket(StrEnum):
    """Where a unit is in its life: on a shelf, on the bench, away."""

    SELLABLE = "sellable"
    PICKED = "picked"
    DISPLAY = "display"
    QUALITY_HOLD = "quality_hold"
    DAMAGED = "damaged"
    IN_TRANSIT = "in_transit"
    SUPPLIER = "supplier"
    CUSTOMER = "customer"
    ADJUSTMENT = "adjustment"
    DISPOSAL = "disposal"
    CONVERSION = "conversion"


class CountsAs(StrEnum):
    """What a bucket's units are to the seller."""

    SELLABLE = "sellable"
    UNSELLABLE = "unsellable"
    OUTSIDE = "outside"


class Account(NamedTuple):
    """One side of a movement. Outside accounts have a location too: where the exchange was."""

    location: str
    bucket: Bucket
    owner: str


# Only `sellable` counts as sellable: a picked unit is promised, a displayed one is not offered,
# and what is in transit is not here yet.
_COUNTS_AS: Final[Mapping[Bucket, CountsAs]] = MappingProxyType(
    {
        Bucket.SELLABLE: CountsAs.SELLABLE,
        Bucket.PICKED: CountsAs.UNSELLABLE,
        Bucket.DISPLAY: CountsAs.UNSELLABLE,
        Bucket.QUALITY_HOLD: CountsAs.UNSELLABLE,
        Bucket.DAMAGED: CountsAs.UNSELLABLE,
        Bucket.IN_TRANSIT: CountsAs.UNSELLABLE,
        Bucket.SUPPLIER: CountsAs.OUTSIDE,
        Bucket.CUSTOMER: CountsAs.OUTSIDE,
        Bucket.ADJUSTMENT: CountsAs.OUTSIDE,
        Bucket.DISPOSAL: CountsAs.OUTSIDE,
        Bucket.CONVERSION: CountsAs.OUTSIDE,
    }
)

_DEFAULTS: Final[Mapping[MovementType, tuple[Bucket, Bucket]]] = MappingProxyType(
    {
        MovementType.OPENING: (Bucket.ADJUSTMENT, Bucket.SELLABLE),
        MovementType.RECEIPT: (Bucket.SUPPLIER, Bucket.SELLABLE),
        MovementType.INSPECTION: (Bucket.QUALITY_HOLD, Bucket.SELLABLE),
        MovementType.SALE: (Bucket.SELLABLE, Bucket.CUSTOMER),
        MovementType.PICK: (Bucket.SELLABLE, Bucket.PICKED),
        MovementType.SHIPMENT: (Bucket.SELLABLE, Bucket.CUSTOMER),
        MovementType.RETURN: (Bucket.CUSTOMER, Bucket.QUALITY_HOLD),
        MovementType.TRANSFER_DISPATCH: (Bucket.SELLABLE, Bucket.IN_TRANSIT),
        MovementType.TRANSFER_RECEIPT: (Bucket.IN_TRANSIT, Bucket.SELLABLE),
        MovementType.SUPPLIER_RETURN: (Bucket.SELLABLE, Bucket.SUPPLIER),
        MovementType.CONVERSION: (Bucket.SELLABLE, Bucket.CONVERSION),
        MovementType.COUNT: (Bucket.ADJUSTMENT, Bucket.SELLABLE),
        MovementType.ADJUSTMENT: (Bucket.SELLABLE, Bucket.ADJUSTMENT),
        MovementType.DISPOSAL: (Bucket.SELLABLE, Bucket.DISPOSAL),
    }
)

# These go either way, so a producer names the inner side: `from` what leaves, `to` what comes in.
TWO_WAY: Final = frozenset({MovementType.CONVERSION, MovementType.ADJUSTMENT})


def counts_as(bucket: Bucket) -> CountsAs:
    """What the units of a bucket are to the seller."""
    return _COUNTS_AS[bucket]


def default_accounts(type_: MovementType) -> tuple[Bucket, Bucket]:
    """The buckets that a movement of this type goes from and to when it names none."""
    return _DEFAULTS[type_]
