"""How many units are held back for sales on their way to us: see docs/adr/0015.

A channel that cannot compare is told a figure that may not know its latest sales, and telling it
erases them. What its buyers take while an order is on its way is covered, as likely as wanted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

LAG_QUANTILE = 0.95
LAG_SAMPLES_MIN = 20
MEAN_MAX = 500.0
# What is held back goes down only when this much more demand would not need it either: a rate that
# wavers about a threshold must not rewrite the listing each time.
SLACK = 1.5


class Demand(NamedTuple):
    """A listing's own sales, exponentially weighted: `units` in base units as of the moment `at`.

    Moments are seconds since 1970; each sale weighs 1/e after the memory's length.
    """

    units: float = 0.0
    at: float = 0.0


NO_DEMAND = Demand()


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldBack:
    """How sure one channel wants to be, and what is assumed of it until it is measured.

    `probability` is that of the sales on their way being covered. `lag_seconds` from an order at
    the shop to its figure holds until enough orders were heard, `lag_seconds_max` bounds what is
    measured. A sale is remembered for `memory_seconds`. Whether less would do now is asked every
    `look_again_seconds`.
    """

    probability: float = 0.95
    lag_seconds: float = 5.0
    lag_seconds_max: float = 900.0
    memory_seconds: float = 600.0
    look_again_seconds: float = 15.0

    def __post_init__(self) -> None:
        assert 0 < self.probability < 1, self
        assert 0 < self.lag_seconds <= self.lag_seconds_max, self
        assert self.memory_seconds > 0, self


def poisson_quantile(mean: float, probability: float) -> int:
    """The least k that a Poisson variable of this mean does not exceed with this probability.

    0 for a mean of 0. Means above 500 count as 500: so much is not sold within a lag.
    """
    assert mean >= 0, mean
    assert 0 < probability < 1, probability
    mean = min(mean, MEAN_MAX)
    term = total = math.exp(-mean)
    k = 0
    while total < probability and term > 0:  # terms fall below the smallest float in the end
        k += 1
        term *= mean / k
        total += term
    return k


def rate_per_second(demand: Demand, memory_seconds: float, now: float) -> float:
    """Base units a second; what was sold long ago counts less and less."""
    age = max(0.0, now - demand.at)
    return demand.units * math.exp(-age / memory_seconds) / memory_seconds


def measured_lag(seconds: Sequence[float], hold: HoldBack) -> float:
    """The 95th percentile of recent orders' lags (nearest rank); of too few, the assumed one."""
    if len(seconds) < LAG_SAMPLES_MIN:
        return hold.lag_seconds
    rank = math.ceil(LAG_QUANTILE * len(seconds))
    return min(max(0.0, sorted(seconds)[rank - 1]), hold.lag_seconds_max)


class Before(NamedTuple):
    """How a listing stood: units held back, and whether its figure or its demand is news since.

    `shown_for_a_lag` is what it has shown for a lag or longer, None where it was told later.
    """

    held: int = 0
    is_news: bool = True
    shown_for_a_lag: int | None = None


def units_held_back(mean: float, buffer: int, before: Before, probability: float) -> int:
    """Units not shown where `mean` are sold within the lag; the buffer covers its part already.

    More is held back at once, but for nothing new no call goes to lower what is shown; less only
    when half as much demand again would not need it. No more can be on their way than were shown
    all the while: what has shown nothing for a lag has sold nothing that is unheard, and its last
    units are told.
    """
    needed = max(0, poisson_quantile(mean, probability) - buffer)
    if needed < before.held:
        with_slack = max(0, poisson_quantile(mean * SLACK, probability) - buffer)
        needed = min(before.held, with_slack)
    if not before.is_news:
        needed = min(needed, before.held)
    if before.shown_for_a_lag is not None:
        needed = min(needed, max(0, before.shown_for_a_lag - buffer))
    return needed
