"""Stock levels: the latest state of one SKU at one location, as the ledger has it."""

from typing import Annotated, ClassVar, Final

from pydantic import Field

from .fields import (
    BucketName,
    ChannelId,
    Identifier,
    LocationId,
    Moment,
    NaturalTotal,
    Number,
    Owner,
    Partition,
    Sku,
    Total,
)
from .records import Message, Record

ACCOUNTS_MAX: Final = 256


class Position(Record):
    """A place in a topic."""

    partition: Partition
    offset: Number


class OwnedUnits(Record):
    """Units at a location that belong to somebody else: consignment, a marketplace's seller."""

    owner: Owner
    bucket: BucketName
    quantity: Total


class RingFence(Record):
    """Units held for one beneficiary: they are in `reserved`, and it alone may still take them."""

    hold_id: Identifier
    channel: ChannelId | None = None
    remaining: NaturalTotal
    until: Moment | None = None


class StockLevel(Message):
    """What is at one location, signed: a negative figure means that the book is behind the facts.

    `free = sellable − reserved − allocated`. Readers keep the highest `version`: it rises, and
    its gaps mean nothing.
    """

    KEY: ClassVar = ("sku", "location")
    PARTITION_KEY: ClassVar = ("sku",)

    sku: Sku
    location: LocationId
    version: Number
    sellable: Total
    """Own units that may be sold."""
    reserved: NaturalTotal = 0
    """Soft holds; they expire."""
    allocated: NaturalTotal = 0
    """Hard claims of order lines."""
    buckets: Annotated[dict[BucketName, Total], Field(max_length=ACCOUNTS_MAX)] = Field(
        default_factory=dict
    )
    """Own units in every other bucket that is not empty."""
    owned_by_others: Annotated[tuple[OwnedUnits, ...], Field(max_length=ACCOUNTS_MAX)] = ()
    """Units of other owners, by bucket."""
    ring_fences: Annotated[tuple[RingFence, ...], Field(max_length=ACCOUNTS_MAX)] = ()
    """Holds with a beneficiary that have units left."""
    suspended: bool = False
    """Not offered at a distance until it is counted."""
    counted_at: Moment | None = None
    """The moment of the last count."""
    recorded_at: Moment
    """When the ledger recorded this state."""
    movement_position: Position | None = None
    """The last movement message that is in these figures."""
