"""One batch, one transaction: positions, reference data, answers, orders, returns."""

import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field

from services.orders import metrics
from services.orders.domain.sourcing import Sourcing
from services.orders.handlers import ordering, referring, returning
from services.orders.handlers.reading import Reading, read
from services.orders.repository import folding, opening, outcomes, parking
from services.orders.repository.folding import Decided
from services.orders.repository.parking import PARKING
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


@dataclass(slots=True)
class _Done:
    """What a batch did, told after the commit."""

    decided: list[Decided] = field(default_factory=list)
    changed: int = 0
    movements: int = 0
    short: int = 0
    news: bool = False


class OrdersHandler:
    """Folds orders, returns, reference data and the ledger's answers."""

    def __init__(
        self,
        connection: Callable[[], Awaitable[Connection]],
        sourcing: Sourcing,
        clock: Clock,
        *,
        woken: Callable[[], None],
        undecided: Callable[[], None],
    ) -> None:
        self._connection = connection
        self._sourcing = sourcing
        self._clock = clock
        self._woken = woken
        self._undecided = undecided

    async def decode(self, batch: Batch) -> Reading:
        """Read and join the batch's messages; changes nothing."""
        return await read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """Record the batch behind its fence. Raises Fenced; then nothing has changed."""
        connection = await self._connection()
        with metrics.BATCH_SECONDS.time():
            async with connection.transaction():
                await opening.begin(connection, batch, alone=decoded.has_references)
                done = await self._record(connection, decoded)
        metrics.BATCH_SIZE.observe(len(batch))
        self._tell(decoded, done)

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        connection = await self._connection()
        refusal = internal_error(next(batch.messages()), error)
        async with connection.transaction():
            await opening.begin(connection, batch, alone=False)
            await PARKING.park(connection, [refusal])
        metrics.PARKED.labels(metrics.SERVICE, "internal_error").inc()

    async def replay(self, pool: Pool, ids: Collection[int]) -> int:
        """Bring parked messages back, and orders that a bug kept from being decided again;
        returns how many were taken. States are folded by their revisions.
        """
        return await PARKING.replay(pool, ids, self._apply_again)

    async def _apply_again(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        noted = [name for message in taken if (name := parking.order_of(message)) is not None]
        told = [message for message in taken if parking.order_of(message) is None]
        decoded = await read(batch_of(told))
        await opening.begin(connection, UNFENCED, alone=decoded.has_references)
        await folding.note_undecided(connection, noted)
        done = await self._record(connection, decoded)
        done.news = done.news or bool(noted)
        return lambda: self._tell(decoded, done)

    async def _record(self, connection: Connection, decoded: Reading) -> _Done:
        done, now = _Done(), self._clock.now()
        if decoded.has_references:
            done.news = await referring.keep(connection, decoded, now)
        done.short = await outcomes.keep(connection, decoded.outcomes.values())
        folded = await ordering.fold_orders(connection, decoded.orders, self._sourcing, now)
        done.changed, done.decided = folded.changed, folded.decided
        done.movements = await returning.fold_returns(connection, decoded.returns)
        await PARKING.park(connection, decoded.refusals)
        return done

    def _tell(self, decoded: Reading, done: _Done) -> None:
        """After the commit: wake the relay, and who decides again."""
        self._woken()
        if done.news or done.short:
            self._undecided()
        tell_decided(done.decided, cause="order")
        metrics.MESSAGES.labels("folded").inc(decoded.messages - len(decoded.refusals))
        metrics.MESSAGES.labels("parked").inc(len(decoded.refusals))
        metrics.ORDERS_CHANGED.inc(done.changed)
        metrics.RETURN_MOVEMENTS.inc(done.movements)
        note_parked(metrics.SERVICE, decoded.refusals)


def tell_decided(decided: list[Decided], *, cause: str) -> None:
    """Count what was decided; a line of log for each decision that changed something."""
    for one in decided:
        metrics.DECIDED.labels(one.decision, one.reason or "").inc()
        metrics.COMMANDS.labels(cause).inc(len(one.commands))
        for command in one.commands:
            log.info(
                "wish changed",
                extra={"action": "wish_changed", "order_id": one.order_id,
                       "line_id": one.line_id, "sku": command.wish.sku,
                       "wanted": command.wish.wanted, "revision": command.revision,
                       "cause": cause},
            )  # fmt: skip
