"""A return as it is now, and what of it has newly become a movement of stock."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

from services.orders.domain.joining import joined, larger

_LINE_LENGTH_MAX = 40  # the document's line has 64 characters, bucket and total 24 of them


class ReturnState(StrEnum):
    """How far a return is, in order of progress."""

    ANNOUNCED = "announced"
    ON_ITS_WAY = "on_its_way"
    RECEIVED = "received"
    CLOSED = "closed"
    REFUSED = "refused"

    @property
    def rank(self) -> int:
        """The place in the order of progress."""
        return list(ReturnState).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReturnLine:
    """Units of a SKU that come back; every total is the largest ever told, `graded` by bucket."""

    sku: str
    revision: int
    line_id: str | None = None
    reason: str | None = None
    announced: int = 0
    received: int = 0
    graded: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        assert min(self.announced, self.received, *self.graded.values(), 0) >= 0, self


@dataclass(frozen=True, slots=True, kw_only=True)
class Return:
    """A return as told by the state of `revision`; `told_at` is that state's moment."""

    return_id: str
    revision: int
    state: ReturnState
    told_at: datetime
    order_id: str | None = None
    channel: str | None = None
    location: str | None = None
    lines: Mapping[str, ReturnLine] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Units that were newly graded into a bucket; `total` is how many there are with them."""

    line: ReturnLine
    bucket: str
    quantity: int
    total: int
    key: str

    def __post_init__(self) -> None:
        assert 0 < self.quantity <= self.total, self

    @property
    def document_line(self) -> str:
        """The line of the movement's document: the same growth told again has the same one."""
        name = self.key
        if len(name) > _LINE_LENGTH_MAX:
            name = sha256(name.encode()).hexdigest()[:_LINE_LENGTH_MAX]
        return f"{name}/{self.bucket}/{self.total}"


def line_key(line_id: str | None, sku: str) -> str:
    """What names a line of a return: the order line, if told, and the SKU."""
    return f"{line_id or ''}|{sku}"


def join_returns(one: Return, other: Return) -> Return:
    """The return that both states tell: the higher revision wins, equal ones merge, totals grow."""
    assert one.return_id == other.return_id, (one, other)
    older, newer = sorted((one, other), key=lambda told: told.revision)
    if older.revision == newer.revision:
        newer = _merge(older, newer)
    return replace(newer, lines=joined(one.lines, other.lines, join_lines))


def join_lines(one: ReturnLine, other: ReturnLine) -> ReturnLine:
    """The line that both states tell."""
    older, newer = sorted((one, other), key=lambda line: line.revision)
    reason = newer.reason
    if older.revision == newer.revision:
        reason = larger(one.reason, other.reason)
    return replace(
        newer,
        reason=reason,
        announced=max(one.announced, other.announced),
        received=max(one.received, other.received),
        graded=joined(one.graded, other.graded, max),
    )


def growth_of(told: Return, posted: Mapping[str, int]) -> list[Growth]:
    """What has been graded beyond what was `posted` before (key/bucket → units).

    Announcements, refunds and goods that nobody has looked at move nothing. As long as no state
    has told the location, nothing is posted: it is made up for when one does.
    """
    if told.location is None:
        return []
    return [
        Growth(line=line, bucket=bucket, quantity=total - before, total=total, key=key)
        for key, line in told.lines.items()
        for bucket, total in line.graded.items()
        if total > (before := posted.get(f"{key}/{bucket}", 0))
    ]


def _merge(one: Return, other: Return) -> Return:
    return replace(
        one,
        state=max(one.state, other.state, key=lambda state: state.rank),
        told_at=max(one.told_at, other.told_at),
        order_id=larger(one.order_id, other.order_id),
        channel=larger(one.channel, other.channel),
        location=larger(one.location, other.location),
    )
