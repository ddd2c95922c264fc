"""An independent model of a level: sorted facts, the last anchor, and what came after it."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One fact about one account: a signed change, or the quantity that was found."""

    id: str
    moment: datetime
    change: int = 0
    counted: int | None = None
    opened: int | None = None


def level_of(told: list[Told]) -> int:
    """The level that any order and duplication of these facts must give."""
    facts = list({fact.id: fact for fact in told}.values())
    counts = [f for f in facts if f.counted is not None]
    openings = [f for f in facts if f.opened is not None]
    moments = {f.moment for f in (*counts, *openings)}
    if not moments:
        return sum(f.change for f in facts)
    last = max(moments)
    at_last = [f.counted for f in counts if f.moment == last]
    assert len(at_last) <= 1, "the histories count an account once a moment"
    start = at_last[0] if at_last else sum(f.opened or 0 for f in openings if f.moment == last)
    assert start is not None
    return start + sum(f.change for f in facts if f.moment >= last)
