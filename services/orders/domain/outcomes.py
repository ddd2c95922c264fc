"""What the ledger answered to a line's command, and how the line stands by it."""

from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a commanded line stands."""

    UNANSWERED = "unanswered"
    UNSOURCED = "unsourced"
    SHORT = "short"
    DATED = "dated"
    ALLOCATED = "allocated"
    SHIPPED = "shipped"
    RELEASED = "released"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The latest answer; `decided_for` is the command's revision, quantities in base units."""

    version: int
    decided_for: int
    wanted: int
    shipped: int
    short: int
    short_at: str | None = None
    dated: int = 0

    def __post_init__(self) -> None:
        assert min(self.wanted, self.shipped, self.short) >= 0, self

    def serves(self, revision: int) -> bool:
        """Is the command of `revision` answered, with nothing missing? A line for later is served
        by no place yet, so that it is ranked anew whenever it is decided.
        """
        return self.decided_for >= revision and self.short == 0 and self.dated == 0


def standing(revision: int, outcome: Outcome | None) -> Standing:
    """How a line stands whose latest command has this revision."""
    if outcome is None or outcome.decided_for < revision:
        return Standing.UNANSWERED
    if outcome.short:
        return Standing.UNSOURCED if outcome.short_at is None else Standing.SHORT
    if outcome.dated:
        return Standing.DATED
    if outcome.wanted > outcome.shipped:
        return Standing.ALLOCATED
    return Standing.SHIPPED if outcome.wanted else Standing.RELEASED
