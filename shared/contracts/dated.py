"""What every reference record has: when it holds, its revision, and the key that names it."""

from datetime import UTC, datetime
from typing import ClassVar, Self

from pydantic import Field, model_validator

from .fields import Moment, Number
from .records import Message


class Dated(Message):
    """A record that holds from `from` (always, if absent) until before `until` (for good).

    Two records of the same thing with another `from` are two records, so that next month's can
    stand beside today's. `deleted` takes one back: a compacted topic has no tombstones here.
    """

    KEY: ClassVar = ("kind", "record_id")
    PARTITION_KEY: ClassVar = ("kind", "record_id")
    NAMED_BY: ClassVar[tuple[str, ...]]

    from_: Moment | None = Field(default=None, validation_alias="from", serialization_alias="from")
    """The first moment at which the record holds."""
    until: Moment | None = None
    """The first moment at which it no longer holds."""
    revision: Number = 0
    """The higher one wins."""
    deleted: bool = False

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        if self.from_ is not None and self.until is not None and self.until <= self.from_:
            raise ValueError("`until` is after `from`")
        return self

    @property
    def record_id(self) -> str:
        """The attributes of `NAMED_BY` joined by `|`; an absent one is empty."""
        return "|".join([_key_text(getattr(self, name)) for name in self.NAMED_BY])

    def holds_at(self, moment: datetime) -> bool:
        """Whether the record is in force at `moment`."""
        begun = self.from_ is None or self.from_ <= moment
        return begun and (self.until is None or moment < self.until) and not self.deleted


def _key_text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        # One moment has one text, whatever zone it was told in.
        return value.astimezone(UTC).isoformat()
    return str(value)
