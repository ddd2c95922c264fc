"""Stock commands: the wanted state of one order line, never a delta."""

from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from .fields import (
    QUANTITY_MAX,
    ChannelId,
    CountedQuantity,
    Identifier,
    KeyId,
    LocationId,
    Moment,
    Number,
    Sku,
)
from .orders import Method
from .products import KitComponent
from .records import Message, Record


class ShortAt(Record):
    """A place that looked for the line's goods and did not find them."""

    location: LocationId
    at: Moment
    """When it looked: what is counted there afterwards may be offered again."""


class StockCommand(Message):
    """What one order line wants from stock, and where it may be taken, best place first.

    The ledger keeps one row per line and ignores a `revision` not above its own. It books the line
    at the first candidate that can serve it whole, else split over several where `may_split`, else
    at the first with the rest as short.
    """

    KEY: ClassVar = ("order_id", "line_id")
    PARTITION_KEY: ClassVar = ("sku",)

    order_id: KeyId
    line_id: KeyId
    revision: Number
    """Rises with every change of this line's wish."""
    sku: Sku
    wanted: CountedQuantity
    """Ordered less cancelled, in base units; shipments are not subtracted."""
    candidates: Annotated[tuple[LocationId, ...], Field(max_length=500)]
    """Empty while no place is known: then the line is unsourced."""
    may_split: bool = False
    channel: ChannelId
    method: Method | None = None
    requested_for: Moment | None = None
    """Holds nothing before its time has come."""
    ordered_at: Moment | None = None
    """Whose turn it is when a receipt serves short lines: oldest first."""
    hold: Identifier | None = None
    """The hold that became this line, when a checkout held stock before the order came."""
    kit: Annotated[tuple[KitComponent, ...], Field(max_length=100)] = ()
    """What one unit of the SKU is made of, as it was when the line was accepted; nothing of what is
    no kit. The ledger takes kits that stand made up first, then parts, place by place."""
    short_at: Annotated[tuple[ShortAt, ...], Field(max_length=500)] = ()
    """Places that looked in vain: the SKU is offered there at no distance until it is counted."""
    closed: bool = False
    """The line wants nothing any more and will not come back."""

    @model_validator(mode="after")
    def _can_be_counted_in_parts(self) -> Self:
        if any(self.wanted * part.quantity > QUANTITY_MAX for part in self.kit):
            raise ValueError("the units of a part that the line comes to exceed a quantity")
        parts = {part.sku for part in self.kit}
        if self.sku in parts or len(parts) < len(self.kit):
            raise ValueError("a kit names each of its parts once, and never itself")
        return self
