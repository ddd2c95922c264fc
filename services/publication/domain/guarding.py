"""The blast-radius guard: a full resync that would empty the shop is stopped and shown first."""

from dataclasses import dataclass

ZEROED_PERMILLE_MAX = 200
CHANGED_PERMILLE_MAX = 500
FEW_LISTINGS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """What a resync would do to a channel: how many listings it has, changes, and takes to zero."""

    listings: int
    changed: int
    zeroed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Stopped:
    """Too much at once without anyone's word; `rule` names which share was exceeded."""

    rule: str
    radius: BlastRadius


def guard(radius: BlastRadius, *, is_confirmed: bool) -> Stopped | None:
    """Refuse to zero more than a fifth, or to change more than half, of a channel unasked.

    A handful of listings is no catalogue: below 20 nothing is refused.
    """
    if is_confirmed or radius.listings < FEW_LISTINGS:
        return None
    if radius.zeroed * 1000 > ZEROED_PERMILLE_MAX * radius.listings:
        return Stopped(rule="too_many_zeros", radius=radius)
    if radius.changed * 1000 > CHANGED_PERMILLE_MAX * radius.listings:
        return Stopped(rule="too_many_changes", radius=radius)
    return None
