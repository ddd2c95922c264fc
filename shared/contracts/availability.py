"""Availability: how many of a SKU a channel may sell, and why that many."""

from typing import Annotated, ClassVar

from pydantic import Field

from .fields import (
    ChannelId,
    LocationId,
    Moment,
    NaturalTotal,
    Number,
    Permille,
    Sku,
    Total,
)
from .orders import Method
from .records import Message, Record

_BRIEF = Field(max_length=500)


class LocationOffer(Record):
    """What one location offers to the channel, from which version of its level."""

    location: LocationId
    free: Total
    """Sellable less reserved less allocated; negative where more is owed than there is."""
    buffer: NaturalTotal = 0
    offered: NaturalTotal
    level_version: Number


class Terms(Record):
    """The terms of the formula, in the order they are applied."""

    pool: Total
    """Offered by all locations, plus the channel's ring-fence, less short and unsourced."""
    ring_fenced: NaturalTotal = 0
    short: NaturalTotal = 0
    unsourced: NaturalTotal = 0
    channel_buffer: NaturalTotal = 0
    share_permille: Permille = 1000
    max_listed: NaturalTotal | None = None
    end_when: NaturalTotal = 0


class Availability(Message):
    """A channel's figure for one SKU. Readers keep the highest `version`."""

    KEY: ClassVar = ("channel", "sku")
    PARTITION_KEY: ClassVar = ("sku",)

    channel: ChannelId
    sku: Sku
    version: Number
    available_to_sell: NaturalTotal
    terms: Terms
    by_location: Annotated[tuple[LocationOffer, ...], _BRIEF] = ()
    """Never adds up to more than `available_to_sell` where it is published."""
    by_method: Annotated[dict[Method, NaturalTotal], _BRIEF] = Field(default_factory=dict)
    closed: bool = False
    """No longer sold through this channel."""
    policy_version: Number = 0
    computed_at: Moment
