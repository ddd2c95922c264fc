"""Which SKU a code stands for, and how many of its base units, on a channel and at a moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

ANY: Final = "any"


class CodeKind(StrEnum):
    """Which kind of record speaks."""

    LISTING = "listing"
    IDENTIFIER = "identifier"


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRecord:
    """What one dated record says of a code; a listing's `issuer` is its channel."""

    record_id: str
    kind: CodeKind
    scheme: str
    issuer: str | None
    code: str
    sku: str
    units: int
    begins: datetime | None = None
    ends: datetime | None = None
    fulfilled_by: str | None = None

    def __post_init__(self) -> None:
        assert self.units > 0, self

    def holds_at(self, moment: datetime) -> bool:
        """Whether the record is in force at `moment`."""
        begun = self.begins is None or self.begins <= moment
        return begun and (self.ends is None or moment < self.ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is `code`, told in a scheme (or `any`), on this channel, at this moment?"""

    scheme: str
    code: str
    at: datetime
    channel: str | None = None
    issuer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The SKU and the base units that one of the code stands for, and the record that says so."""

    sku: str
    units: int
    by: CodeRecord


@dataclass(frozen=True, slots=True, kw_only=True)
class Ambiguous:
    """Several records hold, and they say different things."""

    records: tuple[CodeRecord, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """No record holds; the nearest in time on both sides, where there are any."""

    ended: CodeRecord | None
    begins: CodeRecord | None


def answer(question: Question, records: Sequence[CodeRecord]) -> Answer | Ambiguous | Unknown:
    """The channel's own listing comes first, then identifiers of the scheme; those in force count.

    Records that say the same (SKU and units) are one answer; others make it ambiguous: nobody
    guesses between two SKUs.
    """
    speaking = [record for record in records if _speaks(record, question)]
    holding = [record for record in speaking if record.holds_at(question.at)]
    listings = [record for record in holding if record.kind is CodeKind.LISTING]
    found = listings or holding
    if not found:
        return _nearest(speaking, question.at)
    ordered = sorted(found, key=lambda record: record.record_id)
    if len({(record.sku, record.units) for record in ordered}) > 1:
        return Ambiguous(records=tuple(ordered))
    return Answer(sku=ordered[0].sku, units=ordered[0].units, by=ordered[0])


def _speaks(record: CodeRecord, question: Question) -> bool:
    """Whether the record is about the question's code, whatever its dates."""
    if record.code != question.code:
        return False
    if record.kind is CodeKind.LISTING:
        return question.channel is not None and record.issuer == question.channel
    if question.scheme not in (ANY, record.scheme):
        return False
    if question.issuer is not None:
        return record.issuer == question.issuer
    # A channel's code is no other channel's.
    is_channels = record.scheme == "channel" and question.channel is not None
    return not is_channels or record.issuer in (None, question.channel)


def _nearest(records: Iterable[CodeRecord], at: datetime) -> Unknown:
    ended: CodeRecord | None = None
    begins: CodeRecord | None = None
    for record in records:
        if record.ends is not None and record.ends <= at:
            if ended is None or ended.ends is None or record.ends > ended.ends:
                ended = record
        elif record.begins is not None and (
            begins is None or begins.begins is None or record.begins < begins.begins
        ):
            begins = record
    return Unknown(ended=ended, begins=begins)
