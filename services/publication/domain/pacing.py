"""How fast a channel may be called: a token bucket that believes the channel's own answers."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a channel said of its budget, in calls: what is left, and what comes back a second."""

    remaining: float
    per_second: float | None = None
    burst: float | None = None


class Pace:
    """Calls a second with a burst; `per_second` None means that no limit is known.

    The bucket starts empty of bursts: a new owner cannot know what its predecessor has spent, but
    for the moment of its last call.
    """

    def __init__(self, *, per_second: float | None, burst: float, now: float) -> None:
        assert burst >= 1, burst
        assert per_second is None or per_second > 0, per_second
        self._per_second = per_second
        self._burst = burst
        self._tokens = 1.0
        self._filled_at = now
        self._blocked_until = now

    def wait_seconds(self, now: float) -> float:
        """How long until a call may go; 0 when it may go now."""
        self._fill(now)
        blocked = max(0.0, self._blocked_until - now)
        if self._per_second is None:
            return blocked
        return max(blocked, (1.0 - self._tokens) / self._per_second, 0.0)

    def begin_after(self, seconds: float, now: float) -> None:
        """An earlier owner's last call went so many seconds ago."""
        self._fill(now)
        if self._per_second is not None:
            self._tokens = min(self._tokens, seconds * self._per_second)

    def spend(self, now: float) -> None:
        """One call goes."""
        self._fill(now)
        self._tokens -= 1.0

    def hear(self, heard: Heard, now: float) -> None:
        """Believe the channel rather than our own count."""
        self._fill(now)
        self._per_second = heard.per_second or self._per_second
        self._burst = heard.burst or self._burst
        self._tokens = min(heard.remaining, self._burst)

    def block(self, seconds: float, now: float) -> None:
        """No call for so long: the channel said so (Retry-After), or we fell back on our own."""
        self._blocked_until = max(self._blocked_until, now + seconds)

    def _fill(self, now: float) -> None:
        elapsed = max(0.0, now - self._filled_at)
        self._filled_at = now
        if self._per_second is not None:
            self._tokens = min(self._burst, self._tokens + elapsed * self._per_second)


class BatchLimit:
    """How many listings go into a call: halved when it was too much, and slowly raised again."""

    def __init__(self, maximum: int) -> None:
        assert maximum >= 1, maximum
        self._maximum = maximum
        self.size = maximum

    def shrink(self) -> None:
        """The call was refused for its size, or took too long."""
        self.size = max(1, self.size // 2)

    def grow(self) -> None:
        """A call of the present size went well."""
        self.size = min(self._maximum, self.size + 1)
