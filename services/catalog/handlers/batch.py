"""One batch, one transaction: positions, records, and what is parked."""

import logging
from collections.abc import Awaitable, Callable, Collection

from services.catalog import metrics
from services.catalog.handlers.admitting import admit_policies
from services.catalog.handlers.reading import Reading, read
from services.catalog.repository import records
from services.catalog.repository.parking import PARKING
from shared.kafka.batches import Batch
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import (
    UNFENCED,
    ParkedMessage,
    Told,
    batch_of,
    internal_error,
    note_parked,
)
from shared.runtime.clock import Clock

log = logging.getLogger(__name__)


class CatalogHandler:
    """Keeps every dated record; parks what can't be read, and policies that tie."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        clock: Clock,
        *,
        policies_changed: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._clock = clock
        self._policies_changed = policies_changed

    async def decode(self, batch: Batch) -> Reading:
        """Read the batch's messages; changes nothing."""
        return read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Record the batch behind its fence. Raises Fenced; then nothing has changed."""
        connection = await self._connection()
        with metrics.BATCH_SECONDS.time():
            async with connection.transaction():
                await records.begin(connection, batch, alone=decoded.has_policies)
                news = await self._record(connection, decoded)
        metrics.BATCH_SIZE.observe(len(batch))
        self._tell(decoded, news)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        connection = await self._connection()
        refusal = internal_error(next(batch.messages()), error)
        async with connection.transaction():
            await records.begin(connection, batch, alone=False)
            await PARKING.park(connection, [refusal])
        metrics.PARKED.labels(metrics.SERVICE, refusal.reason).inc()

    async def replay(self, pool: Pool, ids: Collection[int]) -> int:
        """Bring parked messages back; returns how many were taken."""
        return await PARKING.replay(pool, ids, self._apply_again)

    async def _apply_again(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        decoded = read(batch_of(taken))
        await records.begin(connection, UNFENCED, alone=decoded.has_policies)
        news = await self._record(connection, decoded)
        return lambda: self._tell(decoded, news)

    async def _record(self, connection: Connection, decoded: Reading) -> list[str]:
        heard, tied = await admit_policies(connection, list(decoded.heard.values()))
        decoded.refusals.extend(tied)
        news = await records.keep(
            connection, [one.row for one in heard], [one.source for one in heard],
            self._clock.now(),
        )  # fmt: skip
        await PARKING.park(connection, decoded.refusals)
        return news

    def _tell(self, decoded: Reading, news: list[str]) -> None:
        """After the commit."""
        metrics.MESSAGES.labels("read").inc(decoded.messages - len(decoded.refusals))
        metrics.MESSAGES.labels("parked").inc(len(decoded.refusals))
        for kind in set(news):
            metrics.CHANGED.labels(kind).inc(news.count(kind))
        if news:
            log.info(
                "records kept",
                extra={"action": "records_kept", "changed": len(news), "kinds": sorted(set(news))},
            )
        note_parked(metrics.SERVICE, decoded.refusals)
        if "policy" in news:
            self._policies_changed()
