"""What every message model is: frozen, strict in its types, tolerant of fields it does not know."""

from enum import StrEnum
from typing import ClassVar, NamedTuple, Self

from pydantic import BaseModel, ConfigDict, ValidationError

_DETAIL_LENGTH = 500


class Record(BaseModel):
    """A message's payload, or a part of one.

    Unknown fields are ignored, so that writers may be newer than readers. `encode` is the only
    way out and `decode` the only way in: both use the names of the contract (`from`, `class`),
    while Python code uses the attribute's name (`from_`, `class_`).
    """

    model_config = ConfigDict(
        frozen=True,
        strict=True,
        extra="ignore",
        validate_by_name=True,
        validate_by_alias=True,
        use_attribute_docstrings=True,
    )

    @classmethod
    def decode(cls, value: bytes | str) -> Self:
        """The record that JSON text holds; raises pydantic's `ValidationError`."""
        return cls.model_validate_json(value, by_alias=True, by_name=False)

    @classmethod
    def read(cls, value: bytes | str | None) -> "Self | Undecodable":
        """The record that JSON text holds, or why it holds none; nothing is raised."""
        try:
            return cls.decode(value or b"")
        except ValidationError as error:
            return undecodable(error)

    def encode(self) -> bytes:
        """Compact JSON; a field without a value is left out."""
        return self.__pydantic_serializer__.to_json(self, by_alias=True, exclude_none=True)


class Message(Record):
    """A record that is a whole message: it knows its key, and what must share its partition.

    `KEY` names the attributes that identify the state it carries, since compaction keeps one
    message per key; `PARTITION_KEY` names those that choose the partition.
    """

    KEY: ClassVar[tuple[str, ...]]
    PARTITION_KEY: ClassVar[tuple[str, ...]]

    def key(self) -> bytes:
        """The Kafka message key: the parts joined by `|`, in UTF-8."""
        return "|".join([getattr(self, part) for part in self.KEY]).encode()

    def partition_key(self) -> bytes:
        """The bytes whose murmur2 chooses the partition; joined like the key."""
        return "|".join([getattr(self, part) for part in self.PARTITION_KEY]).encode()


class UndecodableReason(StrEnum):
    """Why a value is no record, in order of precedence."""

    MALFORMED = "malformed"
    UNKNOWN_TYPE = "unknown_type"
    INVALID = "invalid"


class Undecodable(NamedTuple):
    """A value that holds no record: parked with `reason`, explained by `detail`.

    `unknown_type` may be understood by a newer version: such a message is replayed after an
    upgrade. `detail` names fields and rules and never repeats the value.
    """

    reason: UndecodableReason
    detail: str


_UNKNOWN = frozenset({"enum", "literal_error", "union_tag_invalid"})
_QUOTING = frozenset({"union_tag_invalid", "json_invalid"})


def undecodable(error: ValidationError) -> Undecodable:
    """Classify what pydantic found."""
    found = error.errors(include_url=False, include_context=False)
    kinds = {fault["type"] for fault in found}
    # A type that is no text at all is broken, not new.
    is_new = any(f["type"] in _UNKNOWN and not isinstance(f["input"], int | float) for f in found)
    if kinds & {"json_invalid", "model_type", "model_attributes_type"}:
        reason = UndecodableReason.MALFORMED
    elif is_new:
        reason = UndecodableReason.UNKNOWN_TYPE
    else:
        reason = UndecodableReason.INVALID
    faults = (_fault(".".join(map(str, f["loc"])), f["type"], f["msg"]) for f in found)
    return Undecodable(reason, "; ".join(faults)[:_DETAIL_LENGTH])


def _fault(place: str, kind: str, message: str) -> str:
    text = kind if kind in _QUOTING else message
    return f"{place}: {text}" if place else text
