"""Answers: from Redis where it knows, else from Postgres, each with its age."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from services.availability import metrics
from services.availability.repository import packing, reading
from services.availability.repository.progress import ProgressRows
from services.availability.repository.publishing import ViewEntry
from shared.cache.reading import ViewReader
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

REFRESH_SECONDS = 0.5
STALE_SECONDS = 5.0
REPAIRS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Found:
    """One SKU's view: `shown` is a JSON object by channel, `behind` its second line."""

    sku: str
    version: int
    view: bytes
    from_redis: bool

    @property
    def shown(self) -> bytes:
        return packing.shown_bytes(self.view)


class Answers:
    """Reads the view. `run` keeps its notion of the view's age, and repairs what Redis lacked.

    Redis is written behind the commits, so what Postgres has answered may be newer than what Redis
    gets next: until Redis is known to hold it too, an older value there counts as unknown. A SKU's
    version never falls from one answer to the next.
    """

    def __init__(
        self,
        reader: ViewReader,
        pool: Pool,
        progress: ProgressRows,
        clock: Clock,
        closing: asyncio.Event,
    ) -> None:
        self._reader = reader
        self._pool = pool
        self._progress = progress
        self._clock = clock
        self._closing = closing
        self._lacking: dict[str, ViewEntry] = {}  # answered by Postgres, not put in Redis yet
        self._as_of: datetime | None = None
        self.is_built = False

    async def run(self) -> None:
        """Refresh twice a second until told to close."""
        while not self._closing.is_set():
            await self.refresh()
            await wait_for_event(self._closing, REFRESH_SECONDS)

    async def refresh(self) -> None:
        """Learn how old the view is, here and there, and write back what was missing."""
        await self._reader.refresh()
        try:
            progress = await self._progress.read()
        except TRANSIENT as error:
            log.warning(
                "Postgres is away, answering from Redis alone",
                extra={"action": "postgres_away", "reason": repr(error)},
            )
            return
        self.is_built = progress.is_built
        self._as_of = progress.as_of
        await self._repair()

    async def _repair(self) -> None:
        """Read anew what goes to Redis: the answer that noted it may be older than what Redis has
        told since, in a generation that has ended.
        """
        noted = dict(self._lacking)
        if not noted:
            return
        try:
            entries = await reading.views(self._pool, list(noted))
        except TRANSIENT:
            return  # said already, or at the next refresh
        if not await self._reader.repair(list(entries.values())):
            return
        for sku, entry in noted.items():
            if self._lacking[sku] is entry:  # not answered anew meanwhile
                del self._lacking[sku]

    def problem(self) -> str | None:
        """Why nothing can be answered yet, for the probe."""
        return None if self.is_built else "the view is being built"

    async def find(self, skus: Sequence[str]) -> list[Found | None]:
        """The views in the order of the SKUs; None for a SKU that nobody told us of.

        Raises what the pool raises when Redis doesn't know and Postgres is away.
        """
        if len(skus) == 1:
            known = [await self._reader.get(skus[0])]
        else:
            known = await self._reader.get_many(skus)
        found: dict[str, Found] = {
            sku: Found(sku, value.version, value.payload, True)  # noqa: FBT003  (its one field)
            for sku, value in zip(skus, known, strict=True)
            if value is not None and value.version >= self._answered_version(sku)
        }
        metrics.ANSWERS.labels("redis").inc(len(found))
        if len(found) < len(skus):
            missing = [sku for sku in skus if sku not in found]
            entries = await reading.views(self._pool, missing)
            metrics.ANSWERS.labels("postgres").inc(len(entries))
            for sku, entry in entries.items():
                found[sku] = Found(sku, entry.version, entry.view, False)  # noqa: FBT003  (as above)
                self._note_lacking(entry)
        return [found.get(sku) for sku in skus]

    def _answered_version(self, sku: str) -> int:
        """The version under which Postgres has answered lately; 0: Redis has known it all along."""
        entry = self._lacking.get(sku)
        return entry.version if entry is not None else 0

    def _note_lacking(self, entry: ViewEntry) -> None:
        if not entry.view or entry.version < self._answered_version(entry.sku):
            return
        if entry.sku in self._lacking or len(self._lacking) < REPAIRS_MAX:
            self._lacking[entry.sku] = entry

    def age_seconds(self, *, from_redis: bool) -> float | None:
        """How long ago everything that was told then was in the view; None: not known."""
        now = self._clock.now().timestamp()
        if from_redis:
            as_of = self._reader.as_of_ms / 1000
            return max(0.0, now - as_of) if as_of else None
        return max(0.0, now - self._as_of.timestamp()) if self._as_of else None


def is_stale(age_seconds: float | None) -> bool:
    """An answer of unknown age is stale."""
    return age_seconds is None or age_seconds > STALE_SECONDS
