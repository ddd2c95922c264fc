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

POLL_SECONDS = 0.05
RETRY_SECONDS = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Dirty:
    """Rows of `unpublished`, and the union of the keys they name."""

    rows: Sequence[int]
    keys: Collection[tuple[str, int]]


class Publishable(Protocol):
    """The port to a service's `unpublished` rows and its latest states."""

    async def unpublished(self, partitions: Collection[int], limit: int) -> Dirty: ...
    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]: ...
    async def forget(self, rows: Sequence[int]) -> None: ...


class Relay:
    """One flight at a time; what became dirty meanwhile goes with the next flight.

    Rows are deleted after acks=all, exactly those that were read: a row that commits later than
    its number stays, which a watermark would skip. A crash in between publishes again, and
    consumers keep the highest version.

    `gather_seconds` is asked before each flight: a reader that is far behind lets changes of the
    same keys gather, since states that are overtaken at once are of use to nobody.
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
    ) -> None:
        self._store = store
        self._producer = producer
        self._partitions = partitions
        self._closing = closing
        self._rows_max = rows_max
        self._gather_seconds = gather_seconds
        self._woken = asyncio.Event()
        self.published = 0

    def wake(self) -> None:
        """Called in process after a commit; other processes' rows are found by polling."""
        self._woken.set()

    async def run(self) -> None:
        """Fly until told to close, and once more after that for what the last batch left."""
        while not self._closing.is_set():
            await wait_for_event(self._woken, POLL_SECONDS)
            self._woken.clear()
            await self.drain()
        await self.drain()

    async def drain(self) -> None:
        """Fly until nothing is dirty; a dependency that is away ends this round."""
        try:
            while await self._fly():
                if (pause := self._gather_seconds()) > 0:
                    await wait_for_event(self._closing, pause)
        except (KafkaError, *TRANSIENT) as error:
            log.warning(
                "relay could not publish, trying again",
                extra={"action": "relay_retry", "reason": repr(error)},
            )
            await wait_for_event(self._closing, RETRY_SECONDS)

    async def _fly(self) -> bool:
        partitions = self._partitions()
        if not partitions:
            return False
        dirty = await self._store.unpublished(partitions, self._rows_max)
        if not dirty.rows:
            return False
        messages = await self._store.latest(dirty.keys)
        await send_all(self._producer, messages)
        await self._store.forget(dirty.rows)
        self.published += len(messages)
        return True
