"""Propagation: from the broker's timestamp of an event to the first call that shows its effect.

The tracker knows the order of events (the log's), what each shop should show after each of them
(the demo's own formula), and what calls arrived. A call tells a state, and thereby every event up
to it; which state, its value says. An event that changes nothing shown needs no call, and one whose
effect was undone before a call went out is in none: neither is measured.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple


class _Event(NamedTuple):
    """When it was, and what should be shown after it."""

    at_us: int
    after: int
    is_measured: bool


@dataclass(slots=True)
class _Listing:
    """What the shop shows, and the events that no call has shown yet."""

    value: int
    waiting: deque[_Event] = field(default_factory=deque)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """Milliseconds; None before anything was measured."""

    count: int
    p50: float | None
    p99: float | None
    max: float | None


class Propagation:
    """Fed with events in the order of the log and calls in the order of their arrival.

    Times are microseconds since 1970 of the same machine. A call may only be fed once the events
    up to its arrival are.
    """

    def __init__(self) -> None:
        self._listings: dict[str, _Listing] = {}
        self.measured_us: list[int] = []
        self.undone = 0

    def event(
        self, sku: str, at_us: int, before: int, after: int, *, is_measured: bool = True
    ) -> None:
        """The shop should show `after` instead of `before` from this event on.

        What is not measured is a state that the shop may show all the same: an order's outcome
        comes from the ledger, and not from outside.
        """
        if before == after:
            return
        listing = self._listings.setdefault(sku, _Listing(before))
        listing.waiting.append(_Event(at_us, after, is_measured))

    def call(self, sku: str, arrived_us: int, value: int) -> None:
        """The shop was told `value`; the latest waiting event that led to it is the state told."""
        listing = self._listings.get(sku)
        if listing is None:
            return
        told = next(
            (
                place
                for place in range(len(listing.waiting) - 1, -1, -1)
                if listing.waiting[place].after == value
                and listing.waiting[place].at_us <= arrived_us
            ),
            None,
        )
        if told is None:
            # A value repeated, or a state that two logs tell in another order: the shop shows it,
            # and events that lead to it need no call of their own.
            listing.value = value
            return
        included = [listing.waiting.popleft() for _ in range(told + 1)]
        # Back at what the shop showed already: up to there no call was due.
        undone = 1 + max(
            (place for place, event in enumerate(included) if event.after == listing.value),
            default=-1,
        )
        self.undone += undone
        self.measured_us += [
            arrived_us - event.at_us for event in included[undone:] if event.is_measured
        ]
        listing.value = value

    @property
    def open_events(self) -> int:
        """Events that no call has shown yet."""
        return sum(len(listing.waiting) for listing in self._listings.values())

    def latencies(self, last: int | None = None) -> Latencies:
        """Over everything measured, or over the last so many."""
        return latencies_of(self.measured_us if last is None else self.measured_us[-last:])


def latencies_of(measured_us: Sequence[int]) -> Latencies:
    """The quantiles of these microseconds."""
    found = sorted(measured_us)
    return Latencies(
        count=len(found),
        p50=_quantile_ms(found, 0.50),
        p99=_quantile_ms(found, 0.99),
        max=_quantile_ms(found, 1.0),
    )


def _quantile_ms(ordered: Sequence[int], share: float) -> float | None:
    """The smallest value that at least `share` of the values do not exceed."""
    if not ordered:
        return None
    place = max(0, -(-len(ordered) * share // 1) - 1)
    return round(ordered[min(int(place), len(ordered) - 1)] / 1000, 1)
