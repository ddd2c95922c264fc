"""Shopify's pace: a bucket of cost points per app and shop, refilled at the rate of the plan.

Source: shopify.dev, "Rate limits": 100, 200, 1,000 or 2,000 points a second; a query of more than
1,000 points is refused whatever is left. That a bucket holds 20 seconds of its rate and that a
mutation costs 10 points is (unverified), and may be set otherwise.
"""

from collections.abc import Mapping
from typing import Any

from services.simulators.shopify.parsing import Operation, Selection

PLANS: Mapping[str, float] = {
    "standard": 100.0, "advanced": 200.0, "plus": 1000.0, "enterprise": 2000.0,
}  # fmt: skip
BUCKET_SECONDS = 20.0
QUERY_COST_MAX = 1000
MUTATION_COST = 10


class Bucket:
    """Points that are left. Moments are microseconds, told by the caller."""

    def __init__(self, plan: str = "standard") -> None:
        self.restore_rate = PLANS[plan]
        self.maximum = self.restore_rate * BUCKET_SECONDS
        self._available = self.maximum
        self._filled_us = 0

    def set(self, restore_rate: float, maximum: float) -> None:
        """Another plan, with a full bucket."""
        self.restore_rate, self.maximum, self._available = restore_rate, maximum, maximum

    def take(self, cost: float, now_us: int) -> bool:
        """Whether there were enough points; they are gone then."""
        self._fill(now_us)
        if self._available < cost:
            return False
        self._available -= cost
        return True

    def drain(self, now_us: int) -> None:
        """Nothing is left: others have called for the same app and shop."""
        self._fill(now_us)
        self._available = 0.0

    def status(self, now_us: int) -> dict[str, Any]:
        """`throttleStatus`, as every answer carries it."""
        self._fill(now_us)
        return {
            "maximumAvailable": self.maximum, "currentlyAvailable": int(self._available),
            "restoreRate": self.restore_rate,
        }  # fmt: skip

    def _fill(self, now_us: int) -> None:
        elapsed = max(0, now_us - self._filled_us) / 1e6
        self._filled_us = now_us
        self._available = min(self.maximum, self._available + elapsed * self.restore_rate)


def cost_of(operation: Operation, mutation_cost: int = MUTATION_COST) -> int:
    """Points of an operation: a mutation has its price, an object costs one, a scalar nothing."""
    if operation.kind == "mutation":
        return mutation_cost * len(operation.roots)
    return sum(_cost(root) for root in operation.roots)


def _cost(asked: Selection) -> int:
    inner = sum(_cost(one) for one in asked.selections)
    if asked.on or not asked.selections:
        return inner
    ids = asked.arguments.get("ids")
    return max(1, len(ids)) * (1 + inner) if isinstance(ids, list) else 1 + inner
