"""From a log of calls to latencies: which call was the first to include each event."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil
from typing import NamedTuple


class Scheduled(NamedTuple):
    """An event by its plan: whose figure it lowers by one, and when it was to be sent."""

    entry: int
    at_us: int


class Call(NamedTuple):
    """One quantity that reached the channel. Times are microseconds since 1970."""

    arrived_us: int
    entry: int
    value: int


@dataclass(slots=True)
class Matched:
    """Each event's time in microseconds, None where no call included it; and what cannot be."""

    times_us: list[int | None]
    impossible: list[Call] = field(default_factory=list)


def match(events: Sequence[Scheduled], calls: Iterable[Call], stock: int) -> Matched:
    """Give every event the arrival of the first call that includes it.

    Each entry began at `stock` and each of its events lowers it by one, in order; so a call that
    shows `stock − k` includes the entry's first k events. Several events in one call count each. A
    call that shows less than all events can explain, or more than the stock, is impossible.
    """
    waiting: dict[int, list[int]] = {}
    for place, event in enumerate(events):
        waiting.setdefault(event.entry, []).append(place)
    done = dict.fromkeys(waiting, 0)
    matched = Matched(times_us=[None] * len(events))
    for call in sorted(calls):
        places = waiting.get(call.entry, [])
        included = stock - call.value
        if not 0 <= included <= len(places):
            matched.impossible.append(call)
            continue
        for place in places[done.get(call.entry, 0) : included]:
            matched.times_us[place] = call.arrived_us - events[place].at_us
        if places:
            done[call.entry] = max(done[call.entry], included)
    return matched


def percentile(ordered: Sequence[int], percent: float) -> int:
    """The nearest-rank percentile of a non-empty ascending sequence: a value that did occur."""
    assert ordered, "a percentile of nothing"
    assert 0 < percent <= 100, percent
    return ordered[ceil(percent / 100 * len(ordered)) - 1]
