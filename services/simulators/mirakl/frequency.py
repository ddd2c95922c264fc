"""How often an operation may be called: a contract that Mirakl states and does not enforce.

A caller that goes too often is refused here and written down, so that a test sees it; on a real
marketplace the operator would write to the shop.
"""

from collections import Counter, deque
from dataclasses import dataclass
from typing import Final

MINUTE: Final = 60.0
# "Maximum usage" of each operation in the seller's OpenAPI, in seconds between two calls.
INTERVALS: Final = {"STO01": MINUTE, "STO02": 15.0, "STO03": MINUTE, "OR11": MINUTE}
KEPT_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A call that came `early_seconds` too soon, in seconds of the marketplace's own clock."""

    operation: str
    at_us: int
    early_seconds: float


class Frequencies:
    """The last call of each operation; `speed` divides the intervals, for tests and demos."""

    def __init__(self, speed: float) -> None:
        assert speed > 0, speed
        self._speed = speed
        self._called_us: dict[str, int] = {}
        self.violations: deque[Violation] = deque(maxlen=KEPT_MAX)
        self.counts: Counter[str] = Counter()

    def early_seconds(self, operation: str, now_us: int) -> float:
        """0 and the call counts, or how much too soon it came, which is written down.

        A refused call does not push the next one back.
        """
        last = self._called_us.get(operation)
        interval_us = round(INTERVALS[operation] * 1e6 / self._speed)
        if last is not None and now_us - last < interval_us:
            early = (interval_us - (now_us - last)) / 1e6
            self.violations.append(
                Violation(operation=operation, at_us=now_us, early_seconds=early)
            )
            self.counts[operation] += 1
            return early
        self._called_us[operation] = now_us
        return 0.0
