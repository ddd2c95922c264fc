"""Holds over Kafka: what is asked of a hold, and what became of it."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from .fields import Identifier, Moment
from .holds import Confirm, Extend, Hold, HoldRequest
from .records import Message


class ReserveHold(HoldRequest, Message):
    """Hold units, as over HTTP: the same id with the same request gets the same answer."""

    KEY: ClassVar = ("hold_id",)
    PARTITION_KEY: ClassVar = ("hold_id",)

    kind: Literal["reserve"]
    hold_id: Identifier


class ExtendHold(Extend, Message):
    """Have a hold end at another time."""

    KEY: ClassVar = ("hold_id",)
    PARTITION_KEY: ClassVar = ("hold_id",)

    kind: Literal["extend"]
    hold_id: Identifier


class ConfirmHold(Confirm, Message):
    """Turn a hold into lines of an order."""

    KEY: ClassVar = ("hold_id",)
    PARTITION_KEY: ClassVar = ("hold_id",)

    kind: Literal["confirm"]
    hold_id: Identifier


class ReleaseHold(Message):
    """Give a hold's units back."""

    KEY: ClassVar = ("hold_id",)
    PARTITION_KEY: ClassVar = ("hold_id",)

    kind: Literal["release"]
    hold_id: Identifier


HOLD_REQUESTS_MODELS = (ReserveHold, ExtendHold, ConfirmHold, ReleaseHold)
AskedOfHold = ReserveHold | ExtendHold | ConfirmHold | ReleaseHold


class HoldProblem(StrEnum):
    """Why nothing was done, in order of precedence."""

    INVALID = "invalid"
    """The message is no request that this version understands: it is parked, and says why."""
    ENDS_IN_PAST = "ends_in_past"
    ID_TAKEN = "id_taken"
    """The id is another request's, whose answer stands."""
    UNKNOWN_HOLD = "unknown_hold"
    NOT_HELD = "not_held"
    """The hold has ended, became another order, or has other lines."""


class HoldAnswer(Message):
    """How a hold stands after what was asked of it; a refusal to reserve is an answer, too.

    Asked again, it is answered again. `problem` says why nothing was done; `hold`, where there is
    one, is how it stands all the same.
    """

    KEY: ClassVar = ("hold_id",)
    PARTITION_KEY: ClassVar = ("hold_id",)

    hold_id: Identifier
    asked: Annotated[str, Field(pattern=r"^[a-z_]{1,32}$")]
    """The request's kind; `unknown` where that could not be read."""
    answered_at: Moment
    problem: HoldProblem | None = None
    hold: Hold | None = None
