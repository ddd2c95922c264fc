"""What every simulator has beside its protocol: faults to order, a pace, and a log of the calls."""

from array import array
from collections import deque
from dataclasses import dataclass
from typing import Any, Literal, get_args

Kind = Literal[
    "throttle", "error", "unavailable", "nonsense", "hang", "latency", "lost_answer", "bad_entry"
]
KINDS = frozenset(get_args(Kind))
CHUNK = 65_536
CHUNKS_MAX = 16


@dataclass(slots=True, kw_only=True)
class Fault:
    """One way to misbehave, for the next `calls` calls (None: until cleared).

    `seconds` is the Retry-After of a throttle, the length of a hang or of added latency, or how
    long a lost answer is waited for; `entry` is the id whose write a `bad_entry` refuses.
    """

    kind: str
    calls: int | None = None
    seconds: float = 0.0
    entry: int = 0


class Faults:
    """The faults in force, in the order they were asked for."""

    def __init__(self) -> None:
        self._active: list[Fault] = []

    def set(self, wanted: list[dict[str, Any]]) -> None:
        """Replace them all. Raises ValueError for a kind nobody knows."""
        faults = [Fault(**fields) for fields in wanted]
        if unknown := {fault.kind for fault in faults} - KINDS:
            raise ValueError(f"unknown faults {sorted(unknown)}; there are {sorted(KINDS)}")
        self._active = faults

    def take(self, kind: Kind) -> Fault | None:
        """The first fault of a kind, counted down."""
        for fault in self._active:
            if fault.kind == kind:
                if fault.calls is not None:
                    fault.calls -= 1
                    if fault.calls <= 0:
                        self._active.remove(fault)
                return fault
        return None


class Limit:
    """Calls a second, with a burst; none by default."""

    def __init__(self) -> None:
        self.calls_per_second: float | None = None
        self.burst = 1.0
        self._tokens = 1.0
        self._filled_us = 0

    def set(self, calls_per_second: float | None, burst: float) -> None:
        """A new pace, with a full bucket."""
        self.calls_per_second, self.burst, self._tokens = calls_per_second, burst, burst

    def wait_seconds(self, now_us: int) -> float:
        """0 and one token less, or how long until there is one."""
        if self.calls_per_second is None:
            return 0.0
        elapsed = (now_us - self._filled_us) / 1e6
        self._filled_us = now_us
        self._tokens = min(self.burst, self._tokens + elapsed * self.calls_per_second)
        if self._tokens >= 1.0:
            self._tokens -= 1.0
            return 0.0
        return (1.0 - self._tokens) / self.calls_per_second


class Calls:
    """Every quantity that was written, with its arrival; the oldest are dropped past a million.

    Compact columns, because a benchmark writes thousands a second: arrival in microseconds since
    1970, the entry, the value. A cursor counts from the first write ever.
    """

    def __init__(self) -> None:
        self._chunks: deque[array[int]] = deque(maxlen=CHUNKS_MAX)
        self._dropped = 0
        self.requests = 0

    def note(self, arrived_us: int, entry: int, value: int) -> None:
        """One quantity written."""
        if not self._chunks or len(self._chunks[-1]) == CHUNK * 3:
            self._dropped += len(self._chunks) == CHUNKS_MAX
            self._chunks.append(array("q"))
        self._chunks[-1].extend((arrived_us, entry, value))

    def read(self, after: int, limit: int) -> tuple[int, list[tuple[int, int, int]]]:
        """The next cursor, and up to `limit` writes from cursor `after` on."""
        start = max(after, self._dropped * CHUNK)
        found: list[tuple[int, int, int]] = []
        while len(found) < limit:
            place, offset = divmod(start - self._dropped * CHUNK, CHUNK)
            if place >= len(self._chunks):
                break
            chunk = self._chunks[place]
            end = min(len(chunk), (offset + limit - len(found)) * 3)
            rows = [(chunk[i], chunk[i + 1], chunk[i + 2]) for i in range(offset * 3, end, 3)]
            if not rows:
                break
            found += rows
            start += len(rows)
        return start, found
