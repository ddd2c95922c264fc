"""How fresh the view is: what was on the topics at a moment, and when all of it is in the view."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Protocol

from aiokafka.errors import KafkaError

from services.availability import metrics
from services.availability.repository.progress import ProgressRows
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
POLL_SECONDS = 0.05


class Filling(Protocol):
    """The port to what a view that begins from nothing asks for."""

    async def is_done(self) -> bool: ...
    async def ask(self) -> None: ...


Ends = Mapping[tuple[str, int], int]


class Freshness:
    """Notes the ends of all topics read, and waits until every position has reached them.

    Until that has happened once, the worker is building: its relay publishes nothing. Positions
    are the group's, so the answer holds for all workers together.
    """

    def __init__(
        self,
        ends: Callable[[], Awaitable[Ends]],
        progress: ProgressRows,
        clock: Clock,
        closing: asyncio.Event,
        *,
        filling: Filling,
    ) -> None:
        self._ends = ends
        self._progress = progress
        self._clock = clock
        self._closing = closing
        self._filling = filling
        self._is_filled = False
        self._as_of: datetime | None = None

    @property
    def is_building(self) -> bool:
        """Not everything has been read that was there when the worker started, and, where the
        view began from nothing, that was told again since.
        """
        return self._as_of is None

    async def run(self) -> None:
        """Look twice a second until told to close."""
        while not self._closing.is_set():
            try:
                await self.look()
            except (KafkaError, *TRANSIENT) as error:
                log.warning(
                    "cannot tell how fresh the view is",
                    extra={"action": "freshness_unknown", "reason": repr(error)},
                )
            if self._as_of is not None:
                age = (self._clock.now() - self._as_of).total_seconds()
                metrics.AGE_SECONDS.set(age)
            await wait_for_event(self._closing, LOOK_SECONDS)

    async def look(self) -> None:
        """Note the ends now, wait until they are reached, and record the moment.

        A view that began from nothing is complete only at ends that were noted after everything
        had been told again: until then the moment is not recorded.
        """
        self._is_filled = self._is_filled or await self._filling.is_done()
        moment = self._clock.now()
        ends = await self._ends()
        while not self._closing.is_set():
            positions = await self._progress.positions()
            if all(positions.get(place, 0) >= end for place, end in ends.items() if end):
                if not self._is_filled:
                    await self._filling.ask()
                    return
                await self._progress.reach(moment)
                if self._as_of is None:
                    log.info("the view is complete", extra={"action": "view_complete"})
                self._as_of = moment
                return
            await wait_for_event(self._closing, POLL_SECONDS)
