"""What a movement may point at: accounts, papers, earlier facts, order and supply lines, lots."""

from enum import StrEnum

from pydantic import Field

from .accounts import OWN, Bucket
from .fields import Code, Day, Identifier, KeyId, LocationId, Moment, Number, Owner, ShortText
from .records import Record


class AccountRef(Record):
    """One side of a movement as told; what is left out follows from the movement's type."""

    location: LocationId | None = None
    bucket: Bucket | None = None
    owner: Owner = OWN


class Document(Record):
    """The paper that proves a fact: with the source it is the fact's business key.

    A higher `revision` of the same kind, number and line replaces the fact; the same revision
    changes nothing. The kind names the paper of this very movement (a ticket, a delivery note),
    so that the dispatch and the receipt of one transfer have different ones.
    """

    kind: Code
    number: Identifier
    line: ShortText | None = None
    revision: Number = 0


class FactRef(Record):
    """Which fact is meant: its moment, and the document or the message id that identifies it.

    What is left out is as in the naming movement: the same source, the same document.
    """

    occurred_at: Moment
    document: Document | None = None
    source: Identifier | None = None
    id: Identifier | None = None


class OrderLineRef(Record):
    """A line of an order."""

    order_id: KeyId
    line_id: KeyId


class SupplyLineRef(Record):
    """A line of a purchase order, a transfer order or a return to supplier."""

    supply_id: KeyId
    line_id: KeyId


class ReasonClass(StrEnum):
    """What an adjustment or disposal is to the books."""

    KNOWN_LOSS = "known_loss"
    UNKNOWN_LOSS = "unknown_loss"
    CORRECTION = "correction"
    DONATION = "donation"
    RECYCLING = "recycling"
    DESTRUCTION = "destruction"
    OWN_USE = "own_use"


class Reason(Record):
    """Why: the source's own code, and the class that the books know."""

    code: Code
    class_: ReasonClass | None = Field(
        default=None, validation_alias="class", serialization_alias="class"
    )


class Lot(Record):
    """A production lot."""

    code: ShortText
    expires_on: Day | None = None
