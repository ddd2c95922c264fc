"""The coalescing queue of one channel: the latest version per listing, the most urgent first."""

import heapq
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, replace

from services.publication.domain.unheard import UNKNOWN, Basis
from services.publication.domain.wanting import Desired, Listing, Urgency

Rank = tuple[int, int, int]
Heap = list[tuple[Rank, int]]

OUTDATED_MAX = 1024


@dataclass(slots=True)
class _Busy:
    """The value on its way, and the latest one that came for its listing meanwhile."""

    sent: Desired
    waiting: Desired | None = None


class Queue:
    """At most one entry per listing, and at most one of a listing's values on its way.

    A listing that was taken is *busy* until released; what comes for it meanwhile waits, the
    latest version only, so that two values of one listing never overtake each other. `group_of`
    tells which listings may share a call.
    """

    def __init__(self, group_of: Callable[[Listing], str]) -> None:
        self._group_of = group_of
        self._queued: dict[int, tuple[Rank, Desired]] = {}
        self._busy: dict[int, _Busy] = {}
        # One order over all, and one within each group of listings that may share a call. Entries
        # whose listing has gone, or has another rank now, are skipped where they come up.
        self._order: Heap = []
        self._groups: defaultdict[str, Heap] = defaultdict(list)
        self._later: list[tuple[float, int]] = []
        self._delayed: dict[int, Desired] = {}
        self._sequence = 0

    def __len__(self) -> int:
        return len(self._queued) + len(self._delayed)

    def __contains__(self, listing_id: int) -> bool:
        return listing_id in self._queued or listing_id in self._delayed

    @property
    def busy(self) -> int:
        """How many listings have a value on its way, or in doubt."""
        return len(self._busy)

    def is_busy(self, listing_id: int) -> bool:
        return listing_id in self._busy

    def put(self, desired: Desired) -> Desired | None:
        """Take a wanted value in; returns it when its listing shows it already.

        An older version than the one that waits is dropped. A newer one keeps the older one's
        place in line, and its resync.
        """
        listing_id = desired.listing_id
        if (busy := self._busy.get(listing_id)) is not None:
            latest = newer(busy.waiting or replace(busy.sent, is_resync=False), desired)
            busy.waiting = latest if latest.age > busy.sent.age else busy.waiting
            return None
        rank, waiting = self._queued.get(listing_id, (None, None))
        waiting = waiting or self._delayed.get(listing_id)
        latest = newer(waiting, desired)
        if latest is waiting:
            return None
        self._delayed.pop(listing_id, None)
        self._queued.pop(listing_id, None)
        if latest.is_satisfied:
            return latest
        self._enqueue(latest, None if rank is None else rank[2])
        return None

    def delay(self, desired: Desired, until: float) -> None:
        """Keep a value back until a moment (monotonic seconds), unless a newer one comes first."""
        assert desired.listing_id not in self, desired
        self._delayed[desired.listing_id] = desired
        heapq.heappush(self._later, (until, desired.listing_id))

    def next_at(self) -> float | None:
        """When the first delayed value comes due."""
        while self._later and self._later[0][1] not in self._delayed:
            heapq.heappop(self._later)
        return self._later[0][0] if self._later else None

    def take(self, count_max: int, now: float) -> list[Desired]:
        """The most urgent value and those that may share its call; all become busy."""
        self._wake(now)
        if not self._prune(self._order):
            return []
        name = self._group_of(self._queued[self._order[0][1]][1].listing)
        group = self._groups[name]
        taken: list[Desired] = []
        while len(taken) < count_max and self._prune(group):
            _, listing_id = heapq.heappop(group)
            taken.append(self._queued.pop(listing_id)[1])
            self._busy[listing_id] = _Busy(taken[-1])
        if not group:
            del self._groups[name]
        return taken

    def seize(self, desired: Desired) -> None:
        """Make a listing busy whose value is decided outside: neither queued nor busy before."""
        assert desired.listing_id not in self._busy, desired
        assert desired.listing_id not in self, desired
        self._busy[desired.listing_id] = _Busy(desired)

    def release(self, listing_id: int, shown: int | None, basis: Basis = UNKNOWN) -> Desired | None:
        """The value's fate is known; returns what waited if `shown` has satisfied it."""
        waiting = self._busy.pop(listing_id).waiting
        return None if waiting is None else self.put(waiting.upon(shown, basis))

    def drop(self, listing_id: int) -> Desired | None:
        """Release a listing whose value never went; returns what waited meanwhile."""
        return self._busy.pop(listing_id).waiting

    def forget(self, listing_id: int) -> None:
        """Drop what waits for a listing that is not busy: it will be read anew."""
        assert listing_id not in self._busy, listing_id
        self._queued.pop(listing_id, None)
        self._delayed.pop(listing_id, None)

    def retry(self, desired: Desired, until: float) -> Desired | None:
        """Release a listing and keep its latest value back; returns it if it is shown already."""
        latest = self._busy.pop(desired.listing_id).waiting or desired
        latest = latest.upon(desired.shown, desired.basis)
        latest = replace(latest, failures=desired.failures)
        if latest.is_satisfied:
            return latest
        self.delay(latest, until)
        return None

    def _enqueue(self, desired: Desired, sequence: int | None) -> None:
        if sequence is None:
            self._sequence += 1
            sequence = self._sequence
        few = desired.value if desired.urgency is Urgency.LAST_UNITS else 0
        rank = (desired.urgency, few, sequence)
        self._queued[desired.listing_id] = (rank, desired)
        heapq.heappush(self._order, (rank, desired.listing_id))
        name = self._group_of(desired.listing)
        heapq.heappush(self._groups[name], (rank, desired.listing_id))
        if len(self._order) > OUTDATED_MAX + 2 * len(self._queued):
            self._rebuild()

    def _rebuild(self) -> None:
        """Drop outdated entries: a channel that is away for hours must not fill the memory."""
        self._order = [(rank, listing_id) for listing_id, (rank, _) in self._queued.items()]
        heapq.heapify(self._order)
        self._groups.clear()
        for rank, listing_id in self._order:  # in the heap's order, which is a heap's order too
            name = self._group_of(self._queued[listing_id][1].listing)
            heapq.heappush(self._groups[name], (rank, listing_id))

    def _wake(self, now: float) -> None:
        while (due := self.next_at()) is not None and due <= now:
            _, listing_id = heapq.heappop(self._later)
            self._enqueue(self._delayed.pop(listing_id), None)

    def _prune(self, heap: Heap) -> bool:
        """Drop outdated heads; says whether anything is left."""
        while heap:
            rank, listing_id = heap[0]
            if self._queued.get(listing_id, (None,))[0] == rank:
                return True
            heapq.heappop(heap)
        return False


def newer(waiting: Desired | None, arrived: Desired) -> Desired:
    """The one that knows more; a resync asked for is not forgotten."""
    if waiting is None:
        return arrived
    if arrived.age < waiting.age:
        return waiting
    if arrived.age == waiting.age and waiting.is_resync >= arrived.is_resync:
        return waiting
    return replace(arrived, is_resync=True) if waiting.is_resync else arrived
