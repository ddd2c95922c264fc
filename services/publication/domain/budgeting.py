"""A listing's calls of one day: spread over it, with a reserve for zeros and last units."""

from services.publication.domain.wanting import Desired, Urgency

DAY_SECONDS = 86_400
RESERVE_PERMILLE = 200
BURST_PERMILLE = 50


class Budget:
    """Calls per listing and UTC day. Moments are seconds since 1970.

    What is not urgent may spend its share of the day so far and a twentieth ahead of it, never the
    last fifth; zeros and last units may spend everything that is left.
    """

    def __init__(self, per_day: int, now: float) -> None:
        assert per_day >= 1, per_day
        self._per_day = per_day
        self._day = int(now // DAY_SECONDS)
        self._spent: dict[int, int] = {}

    def begin_with(self, spent: dict[int, int]) -> None:
        """What earlier owners spent today."""
        self._spent = dict(spent)

    def spend(self, listing_id: int, now: float) -> None:
        """One call goes."""
        self._turn(now)
        self._spent[listing_id] = self._spent.get(listing_id, 0) + 1

    def give_back(self, listing_id: int) -> None:
        """The call did not go after all."""
        self._spent[listing_id] = max(0, self._spent.get(listing_id, 0) - 1)

    def wait_seconds(self, desired: Desired, now: float) -> float:
        """How long the value has to wait for its call; 0 when it may go now."""
        self._turn(now)
        spent = self._spent.get(desired.listing_id, 0)
        midnight = (self._day + 1) * DAY_SECONDS - now
        if desired.urgency <= Urgency.LAST_UNITS:
            return 0.0 if spent < self._per_day else midnight
        usable = max(1, self._per_day * (1000 - RESERVE_PERMILLE) // 1000)
        if spent >= usable:
            return midnight
        ahead = max(1, usable * BURST_PERMILLE // 1000)
        elapsed = now - self._day * DAY_SECONDS
        # the call after `spent` others is due when the day has come so far, less what may be ahead
        due = (spent + 1 - ahead) * DAY_SECONDS / usable
        return max(0.0, min(due - elapsed, midnight))

    def _turn(self, now: float) -> None:
        day = int(now // DAY_SECONDS)
        if day != self._day:
            self._day, self._spent = day, {}
