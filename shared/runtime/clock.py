"""The one place where time, ids and randomness are read; everywhere else they are arguments."""

import time
import uuid
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Where a process learns the time: the wall clock with zone, and a monotonic one for spans."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since an arbitrary moment; never falls."""
        ...


class SystemClock:
    """The machine's clocks."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()


class ManualClock:
    """A clock that a test moves by hand."""

    def __init__(self, start: datetime) -> None:
        assert start.tzinfo is not None, "a clock has a zone"
        self._start = start
        self._elapsed = timedelta(0)

    def now(self) -> datetime:
        return self._start + self._elapsed

    def monotonic(self) -> float:
        return self._elapsed.total_seconds()

    def advance(self, *, seconds: float) -> None:
        """Move both clocks forward; time never runs back."""
        assert seconds >= 0, seconds
        self._elapsed += timedelta(seconds=seconds)


def new_id() -> str:
    """A fresh opaque id for a process, an owner or a request."""
    return str(uuid.uuid4())
