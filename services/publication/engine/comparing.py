"""What a lane knows of its listings' own sales: newer than the database, for as long as it owns."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from services.publication import metrics
from services.publication.domain.outcomes import Consequence, Fate
from services.publication.domain.unheard import NOTHING_HEARD, Basis, dropped, told_blindly
from services.publication.domain.wanting import Desired

log = logging.getLogger(__name__)


class Bases:
    """The latest basis of each listing that was told or seen, where the channel compares.

    Elsewhere the database's word is taken, and a call too many is no harm.
    """

    def __init__(self, channel: str, *, is_blind: bool) -> None:
        self._channel = channel
        self._is_blind = is_blind
        self._known: dict[int, tuple[int | None, Basis]] = {}
        self._versions: dict[int, int] = {}

    def learn(self, what: Consequence) -> None:
        """Take in what an answer changed."""
        desired = what.desired
        if not self._is_blind:
            self._known[desired.listing_id] = desired.shown, desired.basis
        if what.fate in (Fate.ACKNOWLEDGED, Fate.CONFIRMED):
            self._versions[desired.listing_id] = desired.version

    def upon(self, desired: Desired) -> Desired:
        """The wish upon what is known here: a fold may have read the database before an answer."""
        known = self._known.get(desired.listing_id)
        if self._versions.get(desired.listing_id, -1) >= desired.version:
            desired = replace(desired, caused_at=None)  # told before: nobody waits for it
        if known is not None:
            return desired.upon(*known)
        # nothing was stored before the first sale; before that there is nothing to be unsure of
        is_first = self._is_blind and desired.basis.shown is None and any(desired.heard)
        if is_first and desired.shown is not None:
            return desired.upon(desired.shown, told_blindly(desired.shown, NOTHING_HEARD))
        return desired

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
