"""What a lane's calls look like from outside: durations, fates, the time since the cause."""

import logging
from collections import Counter
from datetime import datetime

from services.publication import metrics
from services.publication.domain.outcomes import Fate
from services.publication.repository.attempts import Call, Turn

log = logging.getLogger(__name__)


def measure_propagation(channel: str, call: Call, now: datetime, target_seconds: float) -> None:
    """Seconds from the computation of each figure to the start of its first call, and how many of
    them took longer than they should.
    """
    observe, late = metrics.PROPAGATION.labels(channel).observe, 0
    for desired in call.batch:
        if desired.caused_at is not None and not desired.is_resync and not desired.failures:
            seconds = max(0.0, now.timestamp() - desired.caused_at)
            observe(seconds)
            late += seconds > target_seconds
    metrics.LATE.labels(channel).inc(late)  # 0, too: a rate of nothing is no rate
    metrics.TARGET.labels(channel).set(target_seconds)


def measure_call(channel: str, turn: Turn, seconds: float) -> bool:
    """Count a call and its fates; says whether the channel acknowledged anything.

    A call that was accepted only has no fates yet.
    """
    fates = {told.consequence.fate for told in turn.closed}
    whole = "accepted" if not fates else next(iter(fates)).value if len(fates) == 1 else "mixed"
    metrics.CALLS.labels(channel, whole).observe(seconds)
    return count_fates(channel, turn)


def count_fates(channel: str, turn: Turn) -> bool:
    """Count what became of attempts; says whether the channel acknowledged anything."""
    fates = Counter(told.consequence.fate for told in turn.closed)
    for fate, count in fates.items():
        metrics.ATTEMPTS.labels(channel, fate.value).inc(count)
    if set(fates) - {Fate.ACKNOWLEDGED}:
        log.info(
            "channel did not take everything",
            extra={"action": "call_answered", "channel": channel,
                   "fates": {fate.value: count for fate, count in fates.items()}},
        )  # fmt: skip
    return Fate.ACKNOWLEDGED in fates
