"""When to leave a channel alone, and how long to wait before trying again."""

import random
from enum import StrEnum

FAILURES_MAX = 5
OPEN_SECONDS = 2.0
OPEN_SECONDS_MAX = 15.0
RETRY_SECONDS = 0.2
RETRY_SECONDS_MAX = 15.0


class State(StrEnum):
    """Calls go; no call goes; one call goes to try."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Breaker:
    """Opens after calls in a row that failed as a whole; then one call at a time tries.

    Each failed trial doubles the wait, up to a limit that lets a channel come back by itself
    within seconds of its return.
    """

    def __init__(self) -> None:
        self._failures = 0
        self._open_until: float | None = None
        self._open_seconds = OPEN_SECONDS
        self._is_trying = False

    def state(self, now: float) -> State:
        if self._open_until is None:
            return State.CLOSED
        return State.OPEN if now < self._open_until else State.HALF_OPEN

    def wait_seconds(self, now: float) -> float | None:
        """0 when a call may go, None while a trial is out and nothing else may."""
        match self.state(now):
            case State.CLOSED:
                return 0.0
            case State.OPEN:
                assert self._open_until is not None, "an open breaker knows until when"
                return self._open_until - now
            case State.HALF_OPEN:
                return None if self._is_trying else 0.0

    def begin(self, now: float) -> None:
        """A call goes."""
        self._is_trying = self.state(now) is State.HALF_OPEN

    def abandon(self) -> None:
        """The call that was about to go does not."""
        self._is_trying = False

    def succeed(self) -> None:
        """The channel answered sense, be it a refusal."""
        self._failures, self._open_until, self._is_trying = 0, None, False
        self._open_seconds = OPEN_SECONDS

    def fail(self, now: float) -> None:
        """The whole call failed, or its outcome is unknown."""
        was_trial, self._is_trying = self._is_trying, False
        self._failures += 1
        if was_trial:
            self._open_seconds = min(OPEN_SECONDS_MAX, self._open_seconds * 2)
        if was_trial or self._failures >= FAILURES_MAX:
            self._open_until = now + self._open_seconds


def retry_seconds(failures: int, rng: random.Random) -> float:
    """Exponential with equal jitter: between half and all of 0.2 s · 2^(failures - 1), ≤ 15 s.

    Source: M. Brooker, "Exponential Backoff and Jitter", AWS Architecture Blog.
    """
    assert failures >= 1, failures
    whole = min(RETRY_SECONDS_MAX, RETRY_SECONDS * 2.0 ** min(failures - 1, 16))
    return whole / 2 + rng.uniform(0, whole / 2)
