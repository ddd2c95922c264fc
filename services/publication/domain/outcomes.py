"""What a channel answered for one listing, and what follows from it."""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import assert_never

from services.publication.domain import unheard
from services.publication.domain.wanting import Desired


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """The channel took the value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The channel will never take this: not repeated before something changes."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Throttled:
    """Too many calls; nothing was applied. `retry_after_seconds` is None where it didn't say."""

    retry_after_seconds: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """Certainly not applied, and worth repeating; `is_oversized` when fewer at once may do."""

    code: str
    detail: str = ""
    is_oversized: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Unknown:
    """Applied or not, nobody knows: a timeout, a broken connection, an answer without sense."""

    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stale:
    """The compare failed and nothing was applied: the channel shows `found`, not what we thought.

    `found` is None where the channel does not say what it shows.
    """

    found: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """Taken to be worked off later under the channel's own `receipt`, which tells the outcome."""

    receipt: str


Outcome = Acknowledged | Refused | Throttled | Failed | Unknown | Stale | Accepted


class Fate(StrEnum):
    """How an attempt stands in the publication ledger."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"
    THROTTLED = "throttled"
    FAILED = "failed"
    UNKNOWN = "unknown"
    STALE = "stale"
    CONFIRMED = "confirmed_by_read_back"
    CONTRADICTED = "contradicted_by_read_back"
    SHADOWED = "shadowed"
    ACCEPTED = "accepted"


class Then(StrEnum):
    """What becomes of the listing after its attempt."""

    SETTLED = "settled"
    RETRIED = "retried"
    IN_DOUBT = "in_doubt"
    AWAITED = "awaited"
    """The attempt stays open: the channel will tell its result when asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Consequence:
    """`desired` as it goes on: with what is shown now, and how often it failed in a row."""

    fate: Fate
    then: Then
    desired: Desired
    code: str = ""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judging:
    """What answers are judged with: the channel's abilities, and when, in seconds since 1970."""

    can_read_back: bool = True
    can_compare_and_set: bool = False
    at: float = 0.0


def consequence(desired: Desired, outcome: Outcome, judging: Judging) -> Consequence:
    """What one answer means for the listing it speaks of.

    A refused value leaves what is shown as it was: the next version asks again. An unknown
    outcome is read back where the channel can, else the latest value is sent again.
    """
    match outcome:
        case Acknowledged():
            return Consequence(
                fate=Fate.ACKNOWLEDGED, then=Then.SETTLED, desired=_taken(desired, judging)
            )
        case Refused():
            return Consequence(
                fate=Fate.REFUSED, then=Then.SETTLED, desired=desired,
                code=outcome.code, detail=outcome.detail,
            )  # fmt: skip
        case Throttled():
            return Consequence(fate=Fate.THROTTLED, then=Then.RETRIED, desired=desired)
        case Failed():
            again = replace(desired, failures=desired.failures + 1)
            return Consequence(
                fate=Fate.FAILED, then=Then.RETRIED, desired=again,
                code=outcome.code, detail=outcome.detail,
            )  # fmt: skip
        case Unknown():
            return Consequence(
                fate=Fate.UNKNOWN, then=_after_unknown(judging),
                desired=replace(desired, shown=None, failures=desired.failures + 1),
                code=outcome.code, detail=outcome.detail,
            )  # fmt: skip
        case Stale():
            return _stale(desired, outcome.found, judging)
        case Accepted():
            return Consequence(
                fate=Fate.ACCEPTED, then=Then.AWAITED, desired=desired, detail=outcome.receipt
            )
        case _:
            assert_never(outcome)


def read_back(desired: Desired, found: int | None, judging: Judging) -> Consequence:
    """What the channel shows settles an unknown outcome: as sent, or something else.

    `found` is None where the channel has no such listing or shows no quantity for it. What it
    shows is news in either case: the value is sent again only where it differs.
    """
    if found == desired.value:
        told = _taken(desired, judging)
        return Consequence(fate=Fate.CONFIRMED, then=Then.SETTLED, desired=told)
    basis = unheard.UNKNOWN
    if found is not None and not judging.can_compare_and_set:
        basis = _told_blindly(desired, found, judging)
    elif found is not None:
        basis = unheard.found_in_doubt(
            desired.basis, desired.value, found, desired.heard, desired.listing.units, judging.at
        )
    return Consequence(
        fate=Fate.CONTRADICTED, then=Then.RETRIED, desired=desired.upon(found, basis)
    )


def _taken(desired: Desired, judging: Judging) -> Desired:
    if judging.can_compare_and_set:
        basis = unheard.written(desired.basis, desired.value, desired.heard, judging.at)
    else:
        basis = _told_blindly(desired, desired.value, judging)
    return replace(desired, shown=desired.value, failures=0, is_resync=False, basis=basis)


def _told_blindly(desired: Desired, shown: int, judging: Judging) -> unheard.Basis:
    basis = unheard.told_blindly(shown, desired.heard, desired.held, judging.at)
    return replace(basis, version=desired.version, sold_at=desired.demand.at)


def _after_unknown(judging: Judging) -> Then:
    return Then.IN_DOUBT if judging.can_read_back else Then.RETRIED


def _stale(desired: Desired, found: int | None, judging: Judging) -> Consequence:
    """The compare failed, nothing was applied: what is shown is news of sales not heard of yet.

    Where the channel does not say what it shows, it is read back; where it cannot be, the next
    call compares with nothing.
    """
    if found is None:
        return Consequence(
            fate=Fate.STALE, then=_after_unknown(judging),
            desired=desired if judging.can_read_back else desired.upon(None, unheard.UNKNOWN),
        )  # fmt: skip
    before = desired.basis
    if before.shown is None:  # told before anything was kept of it
        before = unheard.Basis(shown=desired.shown, heard=desired.heard)
    units = desired.listing.units
    basis = unheard.found(before, found, desired.heard, units, judging.at)
    return Consequence(fate=Fate.STALE, then=Then.RETRIED, desired=desired.upon(found, basis))
