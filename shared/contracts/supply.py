"""Supply: the latest full state of a purchase order, transfer order or return to supplier."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from .fields import (
    CountedQuantity,
    Currency,
    KeyId,
    LocationId,
    Moment,
    Money,
    Number,
    Quantity,
    Sku,
)
from .orders import LINES_MAX, revision_of
from .records import Message, Record


class SupplyType(StrEnum):
    """Which way supplied goods go."""

    PURCHASE_ORDER = "purchase_order"
    TRANSFER_ORDER = "transfer_order"
    SUPPLIER_RETURN = "supplier_return"


class SupplyState(StrEnum):
    """How far a supply order is."""

    DRAFT = "draft"
    SENT = "sent"
    CONFIRMED = "confirmed"
    CLOSED = "closed"
    CANCELLED = "cancelled"


class SupplyLine(Record):
    """What is supplied. All but `ordered` and `confirmed` are totals that never fall."""

    line_id: KeyId
    sku: Sku
    ordered: Quantity
    confirmed: CountedQuantity | None = None
    """None until the supplier has answered."""
    dispatched: CountedQuantity = 0
    received: CountedQuantity = 0
    rejected: CountedQuantity = 0
    cancelled: CountedQuantity = 0
    promised_at: Moment | None = None
    expected_at: Moment | None = None
    unit_cost: Money | None = None


class SupplyOrder(Message):
    """A supply order: ORDERS, ORDRSP, DESADV and RECADV fold into it.

    A transfer order goes from `from_location` to `to_location`, a purchase order from
    `supplier_id` to `to_location`, a return to supplier the other way.
    """

    KEY: ClassVar = ("supply_id",)
    PARTITION_KEY: ClassVar = ("supply_id",)

    supply_id: KeyId
    type: SupplyType
    state: SupplyState
    version: Number | None = None
    updated_at: Moment | None = None
    supplier_id: KeyId | None = None
    from_location: LocationId | None = None
    to_location: LocationId | None = None
    sent_at: Moment | None = None
    promised_at: Moment | None = None
    expected_at: Moment | None = None
    currency: Currency | None = None
    lines: Annotated[tuple[SupplyLine, ...], Field(max_length=LINES_MAX)] = ()

    @model_validator(mode="after")
    def _is_whole(self) -> Self:
        if self.version is None and self.updated_at is None:
            raise ValueError("a supply order has a version or updated_at")
        places = {
            SupplyType.PURCHASE_ORDER: ("to_location", self.to_location),
            SupplyType.TRANSFER_ORDER: ("to_location", self.to_location and self.from_location),
            SupplyType.SUPPLIER_RETURN: ("from_location", self.from_location),
        }
        name, place = places[self.type]
        if place is None:
            raise ValueError(f"a {self.type} has a {name}, and a transfer order both places")
        return self

    @property
    def revision(self) -> int:
        """What orders two states of one supply order."""
        return revision_of(self.version, self.updated_at)
