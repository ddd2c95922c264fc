"""Stock movements: what moved, between which accounts, as a producer tells it."""

from collections.abc import Iterable
from typing import Annotated, ClassVar, Final, Self

from pydantic import Field, ValidationError, model_validator

from .accounts import OWN, TWO_WAY, Account, Bucket, MovementType, default_accounts
from .fields import (
    ChannelId,
    CountedQuantity,
    Currency,
    Identifier,
    LocationId,
    Moment,
    Money,
    Number,
    ShortText,
    Sku,
)
from .identity import event_id
from .records import Message, Undecodable, undecodable
from .references import (
    AccountRef,
    Document,
    FactRef,
    Lot,
    OrderLineRef,
    Reason,
    SupplyLineRef,
)

__all__ = [
    "Account",
    "Bucket",
    "MovementType",
    "StockMovement",
    "Undecodable",
    "accounts_of",
    "decode_movements",
    "fact_id",
    "movement_id",
]

_REASON_REQUIRED: Final = frozenset({MovementType.ADJUSTMENT, MovementType.DISPOSAL})
# Types with rules of their own; all others need none in Python, which keeps their reading fast.
_RULED: Final = _REASON_REQUIRED | TWO_WAY | {MovementType.TRANSFER_DISPATCH}


class StockMovement(Message):
    """A quantity of one SKU that goes from one account to another at a moment.

    Five fields suffice. `location` is where the movement is recorded: for a dispatch the origin
    (`to_location` is the destination), for a transfer receipt the destination. A count is
    absolute and as of `occurred_at`; its scope is the account in `to`, and the lot where given.
    """

    KEY: ClassVar = ("sku",)
    PARTITION_KEY: ClassVar = ("sku",)

    type: MovementType
    """What happened."""
    sku: Sku
    """What moved."""
    location: LocationId
    """Where it was recorded."""
    quantity: CountedQuantity
    """Whole base units, at least 1; a count may find 0."""
    occurred_at: Moment
    """When, by the source's clock, with its zone."""
    to_location: LocationId | None = None
    """The destination of a transfer."""
    from_: AccountRef | None = Field(
        default=None, validation_alias="from", serialization_alias="from"
    )
    """Overrides the account that the type takes from."""
    to: AccountRef | None = None
    """Overrides the account that the type gives to."""
    document: Document | None = None
    """The paper: with the source, the business key."""
    corrects: FactRef | None = None
    """The earlier revision that this one replaces, when its moment differs."""
    reverses: FactRef | None = None
    """The fact that is cancelled."""
    order_line: OrderLineRef | None = None
    """The order line that is served."""
    supply_line: SupplyLineRef | None = None
    """The supply line that is served."""
    hold: Identifier | None = None
    """The hold that is consumed."""
    reason: Reason | None = None
    """Why; adjustments and disposals must say."""
    lot: Lot | None = None
    """The production lot."""
    serials: Annotated[tuple[ShortText, ...], Field(max_length=1000)] | None = None
    """Serial numbers of the units."""
    unit_cost: Money | None = None
    """What one base unit cost us."""
    unit_price: Money | None = None
    """What one base unit was sold for."""
    currency: Currency | None = None
    """ISO 4217, of cost and price."""
    promotion: Identifier | None = None
    """The promotion that it was sold under."""
    channel: ChannelId | None = None
    """Through whom."""
    sequence: Number | None = None
    """Counts the source's messages, so that gaps are seen."""

    @model_validator(mode="after")
    def _follows_its_type(self) -> Self:
        overrides = self.from_ or self.to or self.corrects or self.reverses
        if overrides is None and self.quantity and self.type not in _RULED:
            return self
        if (broken := _broken_rule(self)) is not None:
            raise ValueError(broken)
        return self


def _broken_rule(movement: StockMovement) -> str | None:
    type_ = movement.type
    if movement.quantity == 0 and type_ is not MovementType.COUNT:
        return "only a count may have the quantity 0"
    if type_ in _REASON_REQUIRED and movement.reason is None:
        return f"{type_} needs a reason"
    if type_ in TWO_WAY and movement.from_ is None and movement.to is None:
        return f"{type_} goes either way: name `from` for what leaves or `to` for what comes in"
    for fact in (movement.corrects, movement.reverses):
        if fact is not None and not (fact.id or fact.document or movement.document):
            return "`corrects` and `reverses` need a document or a message id to name a fact"
    return _broken_account_rule(movement)


def _broken_account_rule(movement: StockMovement) -> str | None:
    came_from, goes_to = accounts_of(movement)
    if came_from == goes_to:
        return "the movement goes from an account to itself"
    is_dispatch = movement.type is MovementType.TRANSFER_DISPATCH
    if is_dispatch and came_from.location == goes_to.location:
        return "a dispatch needs the `to_location` that it goes to"
    return None


def accounts_of(movement: StockMovement) -> tuple[Account, Account]:
    """The accounts that a movement takes from and gives to.

    The type's default buckets at `location`, owner `own`, each part overridden by `from` and
    `to`. A dispatch gives to `in_transit` at `to_location`, and a transfer receipt takes from
    there: its place is `to_location`, or `location` when that is absent. A two-way type that
    names only its `to` takes from its outside account.
    """
    type_ = movement.type
    from_bucket, to_bucket = default_accounts(type_)
    from_location = to_location = movement.location
    if not (movement.from_ or movement.to or movement.to_location):
        return Account(from_location, from_bucket, OWN), Account(to_location, to_bucket, OWN)
    if movement.to_location is not None:
        if type_ is MovementType.TRANSFER_DISPATCH:
            to_location = movement.to_location
        elif type_ is MovementType.TRANSFER_RECEIPT:
            from_location = to_location = movement.to_location
    if movement.from_ is None and movement.to is not None and type_ in TWO_WAY:
        from_bucket, to_bucket = to_bucket, from_bucket
    return (
        _account(movement.from_, from_location, from_bucket),
        _account(movement.to, to_location, to_bucket),
    )


def _account(told: AccountRef | None, location: str, bucket: Bucket) -> Account:
    if told is None:
        return Account(location, bucket, OWN)
    return Account(told.location or location, told.bucket or bucket, told.owner)


def movement_id(movement: StockMovement, *, source: str, ce_id: str) -> bytes:
    """The event id of a movement that `source` told in its message `ce_id`."""
    seconds = int(movement.occurred_at.timestamp())
    document = movement.document
    key = None if document is None else (document.kind, document.number, document.line)
    return event_id(source, ce_id, seconds, key)


def fact_id(fact: FactRef, movement: StockMovement, *, source: str) -> bytes:
    """The event id of the fact that `movement`, told by `source`, corrects or reverses.

    A message id in the reference comes before the movement's own document.
    """
    document = fact.document or (movement.document if fact.id is None else None)
    assert document is not None or fact.id is not None, "a validated reference names a fact"
    key = None if document is None else (document.kind, document.number, document.line)
    seconds = int(fact.occurred_at.timestamp())
    return event_id(fact.source or source, fact.id or "", seconds, key)


def decode_movements(values: Iterable[bytes | None]) -> list[StockMovement | Undecodable]:
    """Decode message values, one result for each, in order; nothing is raised.

    Each value is decoded by itself: joining them into one array would save a tenth of the time,
    and let a value such as `{…},{"x":[{}` complete itself with its neighbour.
    """
    read = StockMovement.__pydantic_validator__.validate_json
    results: list[StockMovement | Undecodable] = []
    for value in values:
        try:
            results.append(read(value or b"", by_alias=True, by_name=False))
        except ValidationError as error:
            results.append(undecodable(error))
    return results
