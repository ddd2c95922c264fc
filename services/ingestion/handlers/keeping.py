"""How long a delivery is kept: a few days after its use, so that a replay is seen; then it goes."""

import asyncio
import logging
from datetime import timedelta
from typing import Final

from services.ingestion import metrics
from services.ingestion.repository.inbox import Inbox
from services.ingestion.repository.orders import OrderStates
from shared.postgres.connecting import TRANSIENT
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event
from shared.telemetry.metrics import note_unpublished

log = logging.getLogger(__name__)

SLICE: Final = 1_000
LOOK_SECONDS: Final = 60.0


async def forget_used(inbox: Inbox, clock: Clock, keep_hours: float) -> int:
    """Delete what was folded longer ago than `keep_hours`, in slices; returns how many. What waits
    or was refused stays: it is the only record.
    """
    before, total = clock.now() - timedelta(hours=keep_hours), 0
    while (count := await inbox.forget(before, SLICE)) > 0:
        total += count
    return total


async def keep_house(
    inbox: Inbox, states: OrderStates, clock: Clock, closing: asyncio.Event, keep_hours: float
) -> None:
    """Forget and count, once a minute, until told to close."""
    while not closing.is_set():
        try:
            await forget_used(inbox, clock, keep_hours)
            counts = await inbox.counts()
            for status in ("received", "waiting", "refused", "folded"):
                metrics.INBOX.labels(status).set(counts.get(status, 0))
            note_unpublished(metrics.SERVICE, await states.oldest_seconds())
        except TRANSIENT as error:
            log.warning(
                "the inbox could not be tidied yet",
                extra={"action": "retention_retry", "reason": repr(error)},
            )
        await wait_for_event(closing, LOOK_SECONDS)
