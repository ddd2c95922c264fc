"""A record of reference data in the shape in which tables keep it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRow:
    """One dated record; `content` is the hash of what it says, its revision left out.

    `claim` is the hash of what only one record may say at a time (a code; a policy's term and
    scope), None where a kind claims nothing.
    """

    kind: str
    record_id: str
    thing: str
    begins: datetime | None
    ends: datetime | None
    revision: int
    is_deleted: bool
    claim: bytes | None
    code: str | None
    content: bytes
    record: str


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptRecord:
    """A record as it was read from its table, with when it was recorded and who told it."""

    kind: str
    record_id: str
    begins: datetime | None
    ends: datetime | None
    revision: int
    is_deleted: bool
    content: bytes
    record: str
    source: str
    recorded_at: datetime
