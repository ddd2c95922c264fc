"""Returns: the latest full state of what a customer sends or brings back."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from .fields import ChannelId, Code, CountedQuantity, KeyId, LocationId, Moment, Number, Sku
from .orders import LINES_MAX, revision_of
from .records import Message, Record


class ReturnState(StrEnum):
    """How far a return is."""

    ANNOUNCED = "announced"
    ON_ITS_WAY = "on_its_way"
    RECEIVED = "received"
    CLOSED = "closed"
    REFUSED = "refused"


class ReturnMethod(StrEnum):
    """How the goods come back."""

    PARCEL = "parcel"
    STORE = "store"
    CARRIER = "carrier"


class Graded(Record):
    """What was found when the goods were looked at; totals that never fall."""

    sellable: CountedQuantity = 0
    quality_hold: CountedQuantity = 0
    damaged: CountedQuantity = 0


class ReturnLine(Record):
    """What comes back. Only `received` and `graded` become movements."""

    line_id: KeyId | None = None
    """The order line that it was bought on."""
    sku: Sku
    announced: CountedQuantity = 0
    received: CountedQuantity = 0
    graded: Graded = Graded()
    reason: Code | None = None


class Return(Message):
    """A return. Its revision is `version`, else `updated_at`."""

    KEY: ClassVar = ("return_id",)
    PARTITION_KEY: ClassVar = ("return_id",)

    return_id: KeyId
    order_id: KeyId | None = None
    channel: ChannelId | None = None
    state: ReturnState
    version: Number | None = None
    updated_at: Moment | None = None
    method: ReturnMethod | None = None
    location: LocationId | None = None
    lines: Annotated[tuple[ReturnLine, ...], Field(max_length=LINES_MAX)] = ()

    @model_validator(mode="after")
    def _has_a_revision(self) -> Self:
        if self.version is None and self.updated_at is None:
            raise ValueError("a return has a version or updated_at")
        return self

    @property
    def revision(self) -> int:
        """What orders two states of one return."""
        return revision_of(self.version, self.updated_at)
