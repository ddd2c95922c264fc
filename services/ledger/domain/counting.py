"""What counts found: variances with their value, and which of them want a second look."""

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

# A book is right where a count finds it so, or one unit off (the KPI "book accuracy").
RIGHT_WITHIN = 1


class Threshold(NamedTuple):
    """From which variance on a count is done again: in units, or in value, in currency units."""

    units: int
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Variance:
    """`variance` = counted − book, signed; `value` at the average cost of that moment, if known."""

    counted: int
    variance: int
    unit_cost: Decimal | None = None
    currency: str | None = None

    @property
    def value(self) -> Decimal | None:
        return None if self.unit_cost is None else self.variance * self.unit_cost

    def wants_recount(self, threshold: Threshold) -> bool:
        """Is so much missing, or found, that somebody should count again before believing it?"""
        value = self.value
        return abs(self.variance) >= threshold.units or (
            value is not None and abs(value) >= threshold.value
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Of several counts: units found and missing, both ≥ 0, their value by currency, how many."""

    counts: int
    right: int
    found: int
    missing: int
    values: dict[str, Decimal]

    @property
    def accuracy(self) -> float | None:
        """The share of counts that found the book right, give or take one unit."""
        return self.right / self.counts if self.counts else None


def summed(variances: Iterable[Variance]) -> Summary:
    """All of them together; currencies are never mixed."""
    told = list(variances)
    values: dict[str, Decimal] = {}
    for one in told:
        if one.value is not None and one.currency is not None:
            values[one.currency] = values.get(one.currency, Decimal(0)) + one.value
    return Summary(
        counts=len(told),
        right=sum(abs(one.variance) <= RIGHT_WITHIN for one in told),
        found=sum(max(0, one.variance) for one in told),
        missing=sum(max(0, -one.variance) for one in told),
        values=values,
    )
