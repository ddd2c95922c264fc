"""What a lane knows of its listings' own sales: newer than the database, for as long as it owns."""

import logging
from collections.abc import Sequence

from services.publication import metrics
from services.publication.domain.outcomes import Consequence
from services.publication.domain.unheard import Basis, dropped
from services.publication.domain.wanting import Desired

log = logging.getLogger(__name__)


class Bases:
    """The latest basis of each listing that was told or seen, where the channel compares."""

    def __init__(self, channel: str) -> None:
        self._channel = channel
        self._known: dict[int, tuple[int | None, Basis]] = {}

    def learn(self, what: Consequence) -> None:
        """Take in what an answer changed."""
        desired = what.desired
        self._known[desired.listing_id] = desired.shown, desired.basis

    def upon(self, desired: Desired) -> Desired:
        """The wish upon what is known here: a fold may have read the database before an answer."""
        known = self._known.get(desired.listing_id)
        return desired if known is None else desired.upon(*known)

    def drop(self, wishes: Sequence[Desired], now: float) -> dict[int, Basis]:
        """Forget what has been unheard for too long; the new bases by listing."""
        bases: dict[int, Basis] = {}
        for desired in map(self.upon, wishes):
            basis, units = dropped(desired.basis, desired.heard, now)
            bases[desired.listing_id] = basis
            self._known[desired.listing_id] = desired.shown, basis
            if units:
                metrics.DRIFT.labels(self._channel).inc(units)
                log.warning(
                    "no order came for units that the channel has taken off or put back",
                    extra={"action": "unheard_dropped", "channel": self._channel,
                           "listing": desired.listing.code, "sku": desired.listing.sku,
                           "units": units},
                )  # fmt: skip
        return bases
