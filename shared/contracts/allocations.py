"""Allocations: what the ledger gave one order line, as its latest state."""

from typing import Annotated, ClassVar

from pydantic import Field

from .fields import Code, CountedQuantity, KeyId, LocationId, Moment, Number, Quantity, Sku
from .records import Message, Record


class Allocated(Record):
    """Units of a line that are claimed at one location."""

    location: LocationId
    quantity: Quantity


class Allocation(Message):
    """The outcome of an order line's latest command.

    `allocated + short + dated = max(0, wanted − shipped)`: demand that has been accepted is always
    in the books.
    """

    KEY: ClassVar = ("order_id", "line_id")
    PARTITION_KEY: ClassVar = ("order_id",)

    order_id: KeyId
    line_id: KeyId
    version: Number
    """Readers keep the highest."""
    decided_for: Number
    """The revision of the command that this answers."""
    sku: Sku
    wanted: CountedQuantity
    shipped: CountedQuantity = 0
    allocated: Annotated[tuple[Allocated, ...], Field(max_length=500)] = ()
    short: CountedQuantity = 0
    """Units that nothing serves yet."""
    short_at: LocationId | None = None
    """Where the short units are booked; None while the line has no place."""
    dated: CountedQuantity = 0
    """Units that hold nothing yet, because they are wanted for later: see `requested_for`."""
    requested_for: Moment | None = None
    """When the line is wanted, where a date was given."""
    refusal: Code | None = None
    """Why a command changed nothing; None when it was applied."""
    recorded_at: Moment
