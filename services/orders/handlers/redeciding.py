"""Orders that are decided again without a state of their own: changed references, short lines."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable

from services.orders import metrics
from services.orders.domain.sourcing import Sourcing
from services.orders.handlers.batch import tell_decided
from services.orders.handlers.deciding import decide_orders
from services.orders.repository import folding, opening, parking, references
from shared.kafka.consuming import BUGS_PER_MINUTE_MAX, DATA_ERRORS, TooManyBugs
from shared.postgres.connecting import TRANSIENT, Connection, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 0.5
RETRY_SECONDS = 0.5
SLICE = 200


class Redeciding:
    """Works noted orders off in small slices, behind live batches; and what time makes due."""

    def __init__(
        self,
        pool: Pool,
        sourcing: Sourcing,
        clock: Clock,
        closing: asyncio.Event,
        *,
        woken: Callable[[], None],
    ) -> None:
        self._pool = pool
        self._sourcing = sourcing
        self._clock = clock
        self._closing = closing
        self._woken = woken
        self._noted = asyncio.Event()
        self._bugs: deque[float] = deque(maxlen=BUGS_PER_MINUTE_MAX)

    def wake(self) -> None:
        """Orders were noted."""
        self._noted.set()

    async def run(self) -> None:
        """Work until told to close; looks twice a second for what others have noted."""
        while not self._closing.is_set():
            self._noted.clear()
            has_more = False
            try:
                has_more = await self.turn()
            except TRANSIENT as error:
                log.warning(
                    "orders wait to be decided again",
                    extra={"action": "redeciding_waits", "reason": repr(error)},
                )
                await wait_for_event(self._closing, RETRY_SECONDS)
            if not has_more:
                await wait_for_event(self._noted, POLL_SECONDS)

    async def turn(self) -> bool:
        """What is due, then one slice of noted orders; says whether there was any."""
        async with self._pool.acquire(timeout=5) as connection:
            due = await self._take_due(connection)
            return bool(await self._slice(connection)) or due

    async def _take_due(self, connection: Connection) -> bool:
        if not await references.is_due(connection, self._clock.now()):
            return False
        async with connection.transaction():
            await opening.begin_unread(connection, alone=True)
            channels = await references.take_due(connection, self._clock.now())
            await references.note_channels(connection, channels)
            await references.raise_version(connection)
        log.info(
            "channels changed by time",
            extra={"action": "channels_due", "channels": sorted(channels)},
        )
        return True

    async def _slice(self, connection: Connection) -> int:
        """The next orders together; where a bug is hit, one by one, so that it keeps but one."""
        try:
            return await self._decide(connection, SLICE)
        except TRANSIENT:
            raise
        except Exception as error:
            log.warning(
                "a slice of orders hit a bug, deciding them one by one",
                extra={"action": "slice_refused", "reason": repr(error)},
            )
        order_ids = await folding.next_undecided(connection, SLICE)
        for order_id in order_ids:
            await self._decide_alone(connection, order_id)
        return len(order_ids)

    async def _decide_alone(self, connection: Connection, order_id: str) -> None:
        try:
            await self._decide(connection, 1, only=order_id)
        except TRANSIENT:
            raise
        except Exception as error:
            async with connection.transaction():
                await folding.pass_over(connection, order_id)
                await parking.park_order(connection, order_id, error)
            metrics.PARKED.labels(metrics.SERVICE, "internal_error").inc()
            log.exception("order parked", extra={"action": "parked", "order_id": order_id})
            self._note_bug(error)

    def _note_bug(self, error: Exception) -> None:
        """As with messages: data errors pass, ten bugs in a minute stop the process."""
        if isinstance(error, DATA_ERRORS):
            return
        now = self._clock.monotonic()
        self._bugs.append(now)
        if len(self._bugs) == BUGS_PER_MINUTE_MAX and now - self._bugs[0] < 60:
            raise TooManyBugs(f"{BUGS_PER_MINUTE_MAX} orders in a minute hit a bug") from error

    async def _decide(self, connection: Connection, limit: int, only: str | None = None) -> int:
        async with connection.transaction():
            await opening.begin_unread(connection, alone=False)
            order_ids = await folding.take_undecided(connection, limit, only)
            if not order_ids:
                return 0
            rows = await folding.lock(connection, order_ids)
            decided = await decide_orders(
                connection, rows.values(), self._sourcing, self._clock.now()
            )
        self._woken()
        tell_decided(decided, cause="again")
        return len(order_ids)
