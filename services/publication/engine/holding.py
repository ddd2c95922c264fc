"""What a lane holds back of its listings for sales on their way, and when it looks again."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.publication.domain.holding_back import (
    Before,
    HoldBack,
    measured_lag,
    poisson_quantile,
    rate_per_second,
    units_held_back,
)
from services.publication.domain.wanting import Desired
from shared.runtime.clock import Clock

LOOK_AGAIN_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why so many units of a listing are held back, all in units of the listing but the rate."""

    held_back: int
    quantile: int
    probability: float
    expected_within_lag: float
    lag_seconds: float
    sold_per_hour: float
    channel_buffer: int


class Holding:
    """Of one channel. Without `hold` nothing is held back, and what was is given back."""

    def __init__(self, hold: HoldBack | None, clock: Clock) -> None:
        self._hold = hold
        self._clock = clock
        self.lag_seconds = 0.0 if hold is None else hold.lag_seconds
        self._looks: dict[int, float] = {}

    def begin(self) -> None:
        """Under a new lease: every listing will be looked at."""
        self._looks.clear()

    def learn(self, lags: Sequence[float]) -> None:
        """What the channel's latest orders took until a figure had them."""
        if self._hold is not None:
            self.lag_seconds = measured_lag(lags, self._hold)

    def decide(self, desired: Desired) -> Desired:
        """The wish less what is held back; a listing of which something is, is looked at again."""
        if desired.basis.held is None and not desired.demand.units:
            return desired
        if self._hold is None:
            return desired.holding(0) if desired.basis.held else desired
        held = units_held_back(
            self._mean(self._hold, desired), _buffer(desired), self._before(desired),
            self._hold.probability,
        )  # fmt: skip
        if held:
            self.note(desired.listing_id)
        return desired.holding(held)

    def note(self, listing_id: int) -> None:
        """Something is held back of a listing: it is looked at again."""
        if self._hold is not None and listing_id not in self._looks:
            self._looks[listing_id] = self._clock.monotonic() + self._hold.look_again_seconds

    def due(self) -> list[int]:
        """Listings to look at again; their next look is due later, as long as anything is held."""
        now = self._clock.monotonic()
        found: list[int] = []
        for listing_id, at in self._looks.items():  # in the order of their moments
            if at > now or len(found) == LOOK_AGAIN_MAX:
                break
            found.append(listing_id)
        for listing_id in found:
            del self._looks[listing_id]
        return found

    def explain(self, desired: Desired) -> Reason | None:
        """Why the listing is told so much less than its figure; None where nothing is held back."""
        if self._hold is None:
            return None
        mean = self._mean(self._hold, desired)
        return Reason(
            held_back=desired.basis.held or 0,
            quantile=poisson_quantile(mean, self._hold.probability),
            probability=self._hold.probability,
            expected_within_lag=round(mean, 4),
            lag_seconds=round(self.lag_seconds, 3),
            sold_per_hour=round(self._rate(self._hold, desired) * 3600, 3),
            channel_buffer=_buffer(desired),
        )

    def _before(self, desired: Desired) -> Before:
        basis = desired.basis
        told_for = self._clock.now().timestamp() - basis.begun
        is_known = desired.shown is not None and desired.shown == basis.shown
        return Before(
            held=basis.held or 0,
            is_news=desired.version > basis.version or desired.demand.at > basis.sold_at,
            shown_for_a_lag=basis.shown if is_known and told_for >= self.lag_seconds else None,
        )

    def _mean(self, hold: HoldBack, desired: Desired) -> float:
        """Units of the listing sold within a lag, as far as can be expected."""
        return self._rate(hold, desired) * self.lag_seconds / desired.listing.units

    def _rate(self, hold: HoldBack, desired: Desired) -> float:
        now = self._clock.now().timestamp()
        return rate_per_second(desired.demand, hold.memory_seconds, now)


def _buffer(desired: Desired) -> int:
    return desired.channel_buffer // desired.listing.units
