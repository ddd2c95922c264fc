"""The relay: publishes the latest state of every key that a transaction has left dirty."""

import asyncio
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from shared.kafka.producing import Outgoing, send_all
from shared.postgres.connecting import TRANSIENT
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.25
RETRY_SECONDS = 0.5
GATHER_STEP_SECONDS = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirty:
    """Rows of `unpublished`, and the union of the keys they name."""

    rows: Sequence[int]
    keys: Collection[tuple[str, int]]


class Publishable(Protocol):
    """The port to a service's `unpublished` rows and its latest states."""

    async def unpublished(
        self, partitions: Collection[int], limit: int, besides: Collection[int] = ()
    ) -> Dirty:
        """Open rows of these partitions, oldest first; `besides` those that are remembered."""
        ...

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]: ...
    async def forget(self, rows: Sequence[int]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Flight:
    """Rows of `unpublished` that this process has just committed, and what they say."""

    rows: Sequence[int]
    messages: Sequence[Outgoing]


class Remembering(Protocol):
    """What a process still knows of its own commits, so that they go out without being read."""

    @property
    def rows(self) -> Collection[int]:
        """The rows that are remembered now."""
        ...

    async def take(self) -> Flight:
        """What was remembered since the last time; it is forgotten here, and stays in its rows."""
        ...


class Relay:
    """One flight at a time; what became dirty meanwhile goes with the next flight.

    Rows are deleted after acks=all, exactly those that were told: a row that commits later than
    its number stays, which a watermark would skip. A crash in between publishes again, and
    consumers keep the highest version.

    What this process has committed goes out from memory at once (`remembering`). The rows are read
    every `poll_seconds`, for those of other processes and whatever was not remembered; before
    that, those that have been told are deleted, all in one statement.

    `gather_seconds` is asked after each flight and while it lasts: a reader that is far behind lets
    changes of the same keys gather, since states that are overtaken at once are of use to nobody.
    """

    def __init__(
        self,
        store: Publishable,
        producer: AIOKafkaProducer,
        partitions: Callable[[], Collection[int]],
        closing: asyncio.Event,
        *,
        rows_max: int = 512,
        gather_seconds: Callable[[], float] = lambda: 0.0,
        remembering: Remembering | None = None,
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._store = store
        self._producer = producer
        self._partitions = partitions
        self._closing = closing
        self._rows_max = rows_max
        self._gather_seconds = gather_seconds
        self._remembering = remembering
        self._poll_seconds = poll_seconds
        self._woken = asyncio.Event()
        self._told: list[int] = []
        self._read_at = float("-inf")
        self.published = 0

    def wake(self, *, is_remembered: bool = False) -> None:
        """Called in process after a commit; other processes' rows are found by polling, and so
        need not be looked for where all that was committed `is_remembered`.
        """
        if not is_remembered:
            self._read_at = float("-inf")
        self._woken.set()

    async def run(self) -> None:
        """Fly until told to close, and once more after that for what the last batch left."""
        while not self._closing.is_set():
            await wait_for_event(self._woken, self._poll_seconds)
            self._woken.clear()
            await self.drain(is_polling=self._is_poll_due())
        await self.drain()

    def _is_poll_due(self) -> bool:
        now = asyncio.get_running_loop().time()
        return self._remembering is None or now - self._read_at >= self._poll_seconds

    async def drain(self, *, is_polling: bool = True) -> None:
        """Fly until nothing is dirty; a dependency that is away ends this round. Without
        `is_polling` only what is remembered goes.
        """
        try:
            while await self._fly(is_polling=is_polling):
                await self._gather()
                is_polling = is_polling or self._is_poll_due()
            if is_polling:
                await self._forget_told()
        except (KafkaError, *TRANSIENT) as error:
            log.warning(
                "relay could not publish, trying again",
                extra={"action": "relay_retry", "reason": repr(error)},
            )
            await wait_for_event(self._closing, RETRY_SECONDS)

    async def _gather(self) -> None:
        """Wait for as long as there is reason to: whoever has caught up tells at once."""
        clock = asyncio.get_running_loop().time
        begun = clock()
        while clock() - begun < self._gather_seconds():
            if await wait_for_event(
                self._closing, min(GATHER_STEP_SECONDS, self._gather_seconds())
            ):
                return

    async def _fly(self, *, is_polling: bool) -> bool:
        """One flight from memory, and one from the rows; says whether there was any."""
        partitions = self._partitions()
        remembered = Flight(rows=(), messages=())
        if self._remembering is not None:
            remembered = await self._remembering.take()
            if partitions:  # else somebody else's, or not to be told yet: their rows stay
                await self._tell(remembered)
        if not partitions:
            return False
        if not is_polling:
            return bool(remembered.rows)
        return await self._fly_rows(partitions) or bool(remembered.rows)

    async def _fly_rows(self, partitions: Collection[int]) -> bool:
        self._read_at = asyncio.get_running_loop().time()
        await self._forget_told()
        besides = () if self._remembering is None else self._remembering.rows
        dirty = await self._store.unpublished(partitions, self._rows_max, besides)
        if not dirty.rows:
            return False
        await self._tell(Flight(rows=dirty.rows, messages=await self._store.latest(dirty.keys)))
        await self._forget_told()  # else the next reading would find them again
        return True

    async def _tell(self, flight: Flight) -> None:
        if flight.rows:
            await send_all(self._producer, flight.messages)
            self._told += flight.rows
            self.published += len(flight.messages)

    async def _forget_told(self) -> None:
        if self._told:
            await self._store.forget(self._told)
            self._told = []
