"""Units that a channel has sold and no figure includes yet: see docs/adr/0010.

A shop counts its own sales down by itself. What it shows less than we wrote, and no order we have
heard of explains, are sales that the figure does not know: writing the figure would erase them.
"""

from dataclasses import dataclass, replace
from typing import NamedTuple


class Heard(NamedTuple):
    """Base units of a listing's own orders that every figure read from now on includes.

    `sold` and `back` (cancelled again) are totals that only grow.
    """

    sold: int = 0
    back: int = 0


NOTHING_HEARD = Heard()


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What was known when a listing was last seen to show something.

    `shown` is in units of the listing, None while nothing is known. By then `unheard` base units
    had been sold and `unheard_back` had been given back that the figure did not include; `heard`
    counts those that it did. `floor` is the least that stayed unheard since the moment `since`
    (seconds since 1970), None while all is heard. `begun` is the moment of the first write, which
    compared with nothing.

    Of a channel that cannot compare (`is_blind`) it is known what it was told last, when (`begun`),
    what had been heard by then, of how many units it was not told (`held`, None where the listing
    has never sold anything), and of which figure's version and latest counted sale that was.
    """

    shown: int | None = None
    unheard: int = 0
    unheard_back: int = 0
    heard: Heard = NOTHING_HEARD
    floor: int = 0
    since: float | None = None
    begun: float = 0.0
    is_blind: bool = False
    held: int | None = None
    version: int = 0
    sold_at: float = 0.0

    def __post_init__(self) -> None:
        assert 0 <= self.floor <= self.unheard, self
        assert self.unheard_back >= 0, self
        assert (self.since is None) == (self.unheard + self.unheard_back == 0), self


UNKNOWN = Basis()


class _Left(NamedTuple):
    """Of a basis after what was heard since: what is unheard still, and what was news to it."""

    unheard: int
    unheard_back: int
    beyond: int


def _left(basis: Basis, heard: Heard) -> _Left:
    sold, back = heard.sold - basis.heard.sold, heard.back - basis.heard.back
    beyond = max(0, sold - basis.unheard) - max(0, back - basis.unheard_back)
    unheard = basis.unheard - min(basis.unheard, max(0, sold))
    return _Left(unheard, basis.unheard_back - min(basis.unheard_back, max(0, back)), beyond)


def still_unheard(basis: Basis, heard: Heard) -> int:
    """Of the units unheard then, those that no order heard since explains; base units."""
    return _left(basis, heard).unheard


def expected(basis: Basis, heard: Heard, units: int) -> int | None:
    """What the listing shows now if every sale has been heard, in units of the listing.

    Orders heard since beyond those that were unheard then have lowered it, and cancelled ones
    have given their units back.
    """
    return None if basis.shown is None else basis.shown - _left(basis, heard).beyond // units


def told_blindly(shown: int, heard: Heard, held: int | None = None, now: float = 0.0) -> Basis:
    """The channel shows this and compares with nothing: what is heard from now on is news."""
    return Basis(shown=shown, heard=heard, held=held, is_blind=True, begun=now)


def written(basis: Basis, value: int, heard: Heard, now: float) -> Basis:
    """The channel took `value`, and showed what was expected until then."""
    left = _left(basis, heard)
    return _at(basis, value, left.unheard, left.unheard_back, heard, now)


def found(basis: Basis, shown: int, heard: Heard, units: int, now: float) -> Basis:
    """The channel shows something else: `shown then - shown now - orders heard since` were sold.

    Below zero they have been given back, or somebody has changed the shop by hand: either way
    the figure may be told. A sale that is unheard is not set off against it.
    """
    if basis.shown is None:
        return _at(basis, shown, 0, 0, heard, now)
    left = _left(basis, heard)
    sold = (basis.shown - shown) * units - left.beyond
    unheard, unheard_back = left.unheard + max(0, sold), left.unheard_back + max(0, -sold)
    return _at(basis, shown, unheard, unheard_back, heard, now)


def found_in_doubt(
    basis: Basis, sent: int, shown: int, heard: Heard, units: int, now: float
) -> Basis:
    """Read back after a call of unknown outcome: the more unheard of its being applied or not."""
    applied = written(basis, sent, heard, now)
    if shown == sent:
        return applied
    applied = found(applied, shown, heard, units, now)
    refused = found(basis, shown, heard, units, now)
    return applied if applied.unheard >= refused.unheard else refused


def dropped(basis: Basis, heard: Heard, now: float) -> tuple[Basis, int]:
    """No order came for what stayed unheard too long; the new basis, and the units dropped.

    The least that was unheard all the while goes, and all that seemed to be given back; what has
    come since begins its own time.
    """
    left = _left(basis, heard)
    gone = min(basis.floor, left.unheard)
    rest = basis.unheard - gone
    since = now if rest else None
    after = replace(basis, unheard=rest, floor=rest, unheard_back=0, since=since)
    return after, gone + left.unheard_back


def _at(
    before: Basis, shown: int, unheard: int, unheard_back: int, heard: Heard, now: float
) -> Basis:
    begun = now if before.shown is None else before.begun
    since, floor = before.since, min(before.floor, unheard)
    if unheard + unheard_back == 0:
        since = None
    elif since is None:
        since, floor = now, unheard
    return Basis(
        shown=shown, unheard=unheard, unheard_back=unheard_back, heard=heard, floor=floor,
        since=since, begun=begun,
    )  # fmt: skip
