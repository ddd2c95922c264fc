"""What may enter the referential: what is news, what contradicts, which policies tie."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from shared.stock.policies import Policy, rivals


class Reason(StrEnum):
    """Why a row is refused, in order of precedence; the file's own faults come before."""

    TOLD_TWICE = "told_twice"
    REVISION_TOO_LOW = "revision_too_low"
    VALUE_NOT_ACCEPTED = "value_not_accepted"
    CODE_CONFLICT = "code_conflict"
    POLICY_TIE = "policy_tie"


class Fate(StrEnum):
    """What becomes of a told record that nothing speaks against."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """How a record stands: its revision (None: the teller doesn't count) and what it says."""

    revision: int | None
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Entering:
    """A record that may enter, and with which revision."""

    fate: Fate
    revision: int


def enter(told: Version, kept: Version | None) -> Entering | Reason:
    """What a file's record is beside the one that is kept.

    The same content is no news, whatever the revisions. Other content needs a higher revision: a
    file that doesn't count gets the next one, a file that does must count upwards.
    """
    if kept is None:
        return Entering(fate=Fate.NEW, revision=told.revision or 0)
    assert kept.revision is not None, "a kept record has a revision"
    if told.content == kept.content:
        return Entering(fate=Fate.UNCHANGED, revision=kept.revision)
    if told.revision is None:
        return Entering(fate=Fate.CHANGED, revision=kept.revision + 1)
    if told.revision <= kept.revision:
        return Reason.REVISION_TOO_LOW
    return Entering(fate=Fate.CHANGED, revision=told.revision)


def is_news(told: Version, kept: Version | None) -> bool:
    """Whether a message's record replaces the kept one: of equal revisions the later told does."""
    if kept is None:
        return True
    assert told.revision is not None, "a message's record has a revision"
    assert kept.revision is not None, "a kept record has a revision"
    return told.revision > kept.revision or (
        told.revision == kept.revision and told.content != kept.content
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What one record says of a code from `begins` until before `ends`."""

    record_id: str
    sku: str
    units: int
    begins: datetime | None = None
    ends: datetime | None = None


def contradictions(claim: Claim, others: Iterable[Claim]) -> list[Claim]:
    """The other claims on the same code that hold at a common time and say something else.

    Claims that say the same at the same time do no harm: any of them gives the answer.
    """
    return [
        other
        for other in others
        if other.record_id != claim.record_id
        and (other.sku, other.units) != (claim.sku, claim.units)
        and _overlap(claim, other)
    ]


def _overlap(one: Claim, other: Claim) -> bool:
    return (one.ends is None or other.begins is None or other.begins < one.ends) and (
        other.ends is None or one.begins is None or one.begins < other.ends
    )


def admit(
    told: Sequence[Policy], kept: Mapping[str, Policy]
) -> tuple[list[Policy], list[tuple[Policy, list[Policy]]]]:
    """The policies that may enter one after the other, and those that tie, each with its rivals.

    `told` are news, each id once; `kept` holds all that speak of the same terms and scopes. The
    earlier told stays, the later ties with it.
    """
    standing = dict(kept)
    admitted: list[Policy] = []
    tied: list[tuple[Policy, list[Policy]]] = []
    for policy in told:
        found = rivals(policy, list(standing.values()))
        if found:
            tied.append((policy, found))
            continue
        standing[policy.policy_id] = policy
        admitted.append(policy)
    return admitted, tied


@dataclass(frozen=True, slots=True, kw_only=True)
class Dated:
    """One dated record of a thing."""

    record_id: str
    begins: datetime | None
    ends: datetime | None
    is_deleted: bool

    def holds_at(self, moment: datetime) -> bool:
        """Whether the record is in force at `moment`."""
        begun = self.begins is None or self.begins <= moment
        return begun and (self.ends is None or moment < self.ends) and not self.is_deleted


def in_force(records: Iterable[Dated], moment: datetime) -> Dated | None:
    """The record of one thing that holds at `moment`: the one that began last."""
    holding = [record for record in records if record.holds_at(moment)]
    return max(
        holding,
        key=lambda r: (r.begins is not None, r.begins.timestamp() if r.begins else 0.0),
        default=None,
    )
