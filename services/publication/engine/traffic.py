"""Whether a call may go now, how large it may be, and what the last answers taught about that."""

import random
from collections.abc import Mapping

from services.publication.channels import Answer
from services.publication.domain.breaking import Breaker, State, retry_seconds
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Throttled,
    Unknown,
)
from services.publication.domain.pacing import BatchLimit, Pace


class Traffic:
    """One channel's pace, breaker and batch size. Moments are monotonic seconds."""

    def __init__(self, descriptor: Descriptor, rng: random.Random, now: float) -> None:
        self._pace = Pace(per_second=descriptor.calls_per_second, burst=descriptor.burst, now=now)
        self._breaker = Breaker()
        self._limit = BatchLimit(descriptor.batch_max)
        self._rng = rng
        self._failures = 0
        self._throttles = 0

    @property
    def batch_max(self) -> int:
        """How many listings the next call may carry."""
        return self._limit.size

    def breaker_state(self, now: float) -> State:
        return self._breaker.state(now)

    def wait_seconds(self, now: float) -> float | None:
        """0 when a call may go; None while a trial is out, whose end will say."""
        broken = self._breaker.wait_seconds(now)
        return None if broken is None else max(broken, self._pace.wait_seconds(now))

    def begin_after(self, seconds: float, now: float) -> None:
        """An earlier owner's last call went so many seconds ago."""
        self._pace.begin_after(seconds, now)

    def begin(self, now: float) -> None:
        """A call goes."""
        self._pace.spend(now)
        self._breaker.begin(now)

    def abandon(self) -> None:
        """The call that was begun does not go after all."""
        self._breaker.abandon()

    def learn(self, answer: Answer, now: float) -> float:
        """Take an answer in; how long to keep back what it did not settle, in seconds."""
        outcomes = answer.outcomes
        if answer.heard is not None:
            self._pace.hear(answer.heard, now)
        self._learn_size(outcomes)
        if (throttled := _throttled(outcomes)) is not None:
            return self._learn_pace(throttled, now)
        self._throttles = 0
        if all(isinstance(o, Failed | Unknown) for o in outcomes.values()):
            if any(isinstance(o, Failed) and o.is_oversized for o in outcomes.values()):
                self._breaker.succeed()
                return 0.0
            return self.fail(now)
        self._failures = 0
        self._breaker.succeed()
        return retry_seconds(1, self._rng)

    def fail(self, now: float, retry_after_seconds: float | None = None) -> float:
        """The whole call failed; how long to keep back what it carried, in seconds."""
        self._failures += 1
        self._breaker.fail(now)
        if retry_after_seconds is not None:
            self._pace.block(retry_after_seconds, now)
        return retry_seconds(self._failures, self._rng)

    def succeed(self) -> None:
        """A read-back was answered."""
        self._failures = 0
        self._breaker.succeed()

    def _learn_pace(self, throttled: Throttled, now: float) -> float:
        """Honour Retry-After; where there is none, back off by ourselves. The pace holds all."""
        self._throttles += 1
        self._breaker.succeed()
        told = throttled.retry_after_seconds
        pause = retry_seconds(self._throttles, self._rng) if told is None else told
        self._pace.block(pause, now)
        return 0.0

    def _learn_size(self, outcomes: Mapping[int, Outcome]) -> None:
        values = outcomes.values()
        if any(
            (isinstance(o, Failed) and o.is_oversized)
            or (isinstance(o, Unknown) and o.code == "timeout")
            for o in values
        ):
            self._limit.shrink()
        elif any(isinstance(o, Acknowledged) for o in values):
            self._limit.grow()


def _throttled(outcomes: Mapping[int, Outcome]) -> Throttled | None:
    return next((o for o in outcomes.values() if isinstance(o, Throttled)), None)
