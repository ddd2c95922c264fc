"""What a lane may send now, and what has to wait: for its listing's budget, or for its orders."""

from collections.abc import Iterable
from dataclasses import replace

from services.publication.domain.budgeting import Budget
from services.publication.domain.capabilities import Descriptor
from services.publication.domain.queueing import Queue
from services.publication.domain.wanting import Desired
from shared.runtime.clock import Clock


class Allowance:
    """Takes from a queue what may go.

    What has spent its share of the day waits for more. What would be lowered for unheard sales
    alone waits for `patience_seconds`, once: orders are counted a moment after their figure.
    """

    def __init__(self, descriptor: Descriptor, clock: Clock, patience_seconds: float) -> None:
        per_day = descriptor.listing_calls_per_day
        self._clock = clock
        self._patience_seconds = patience_seconds
        self._is_plain = per_day is None and not descriptor.can_compare_and_set
        self.budget = None if per_day is None else Budget(per_day, clock.now().timestamp())

    def take(self, queue: Queue, count_max: int, now: float) -> list[Desired]:
        """A call's values, busy now; `now` in monotonic seconds."""
        batch = queue.take(count_max, now)
        if self._is_plain:
            return batch
        allowed: list[Desired] = []
        while batch:
            for desired in batch:
                if (later := self._later(desired, now)) is None:
                    allowed.append(desired)
                else:
                    queue.drop(desired.listing_id)
                    queue.delay(later[0], later[1])
            # all of a batch may have to wait while others of the queue need not
            batch = [] if allowed else queue.take(count_max, now)
        if self.budget is not None:
            for desired in allowed:
                self.budget.spend(desired.listing_id, self._clock.now().timestamp())
        return allowed

    def give_back(self, listing_ids: Iterable[int]) -> None:
        """Their calls did not go after all."""
        if self.budget is not None:
            for listing_id in listing_ids:
                self.budget.give_back(listing_id)

    def _later(self, desired: Desired, now: float) -> tuple[Desired, float] | None:
        """What has to wait, and until when."""
        if desired.may_stand:
            return replace(desired, has_waited=True), now + self._patience_seconds
        if self.budget is None:
            return None
        wait = self.budget.wait_seconds(desired, self._clock.now().timestamp())
        return (desired, now + wait) if wait else None
