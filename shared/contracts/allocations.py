"""Allocations: what the ledger gave one order line, as its latest state."""

from typing import Annotated, ClassVar

from pydantic import Field

from .fields import Code, CountedQuantity, KeyId, LocationId, Moment, Number, Quantity, Sku
from .records import Message, Record


class Allocated(Record):
    """Units of a line that are claimed at one location."""

    location: LocationId
    quantity: Quantity


class PartOutcome(Record):
    """What a kit's line has of one of its parts, in base units of the part.

    `allocated + picked + short + dated = max(0, wanted − shipped)`, as of a line; short units are
    missing at the line's `short_at`, or have no place as the line has none.
    """

    sku: Sku
    wanted: CountedQuantity
    """For those of the line's kits that are put together of parts."""
    shipped: CountedQuantity = 0
    picked: CountedQuantity = 0
    """Set aside by a `pick` that named the line, and not shipped yet."""
    allocated: Annotated[tuple[Allocated, ...], Field(max_length=500)] = ()
    short: CountedQuantity = 0
    dated: CountedQuantity = 0


class Allocation(Message):
    """The outcome of an order line's latest command.

    `allocated + picked + short + dated = max(0, wanted − shipped)`: demand that has been accepted
    is always in the books.
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
    picked: CountedQuantity = 0
    """Set aside by a `pick` that named the line, and not shipped yet."""
    allocated: Annotated[tuple[Allocated, ...], Field(max_length=500)] = ()
    short: CountedQuantity = 0
    """Units that nothing serves yet."""
    short_at: LocationId | None = None
    """Where the short units are booked; None while the line has no place."""
    dated: CountedQuantity = 0
    """Units that hold nothing yet, because they are wanted for later: see `requested_for`."""
    requested_for: Moment | None = None
    """When the line is wanted, where a date was given."""
    parts: Annotated[tuple[PartOutcome, ...], Field(max_length=200)] = ()
    """Of a kit's line: its parts. The line's own figures are whole kits, made up or of parts."""
    refusal: Code | None = None
    """Why a command changed nothing; None when it was applied."""
    recorded_at: Moment
