"""A view built from nothing: the topics are read, and then everything is asked for once more.

A compacted topic is a delivery, never a source of truth: what it has lost, the ledger tells again.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence

from services.availability.handlers.reading import ASKED_BY
from services.availability.repository.progress import ProgressRows
from shared.contracts.cloudevents import headers_for
from shared.contracts.republishing import Republish, RepublishState
from shared.contracts.topics import ALLOCATIONS, REPUBLISHES, STOCK_LEVELS
from shared.kafka.producing import Outgoing
from shared.runtime.clock import Clock

log = logging.getLogger(__name__)

ASK_FOR = (STOCK_LEVELS.name, ALLOCATIONS.name)
ASK_AGAIN_SECONDS = 30.0

Send = Callable[[Sequence[Outgoing]], Awaitable[None]]


class Filling:
    """Asks once for each time that the view starts from nothing, and sees the answers.

    Asked through Kafka: the ledger may be away, and an answer is not lost with this process.
    """

    def __init__(
        self, progress: ProgressRows, send: Send, clock: Clock, new_id: Callable[[], str]
    ) -> None:
        self._progress = progress
        self._send = send
        self._clock = clock
        self._new_id = new_id
        self._asked_at: float | None = None

    async def is_done(self) -> bool:
        """Was the view built before, or was everything told since it began?"""
        progress = await self._progress.read()
        if progress.is_built:
            return True
        if progress.asked_id is None:
            return False
        return await self._progress.answered(progress.asked_id) >= set(ASK_FOR)

    async def ask(self) -> None:
        """Ask where nobody has, and again when no answer comes: the same request twice is one."""
        now = self._clock.monotonic()
        if self._asked_at is not None and now - self._asked_at < ASK_AGAIN_SECONDS:
            return
        request_id = await self._progress.ask(self._new_id())
        if request_id is None:
            return
        missing = sorted(set(ASK_FOR) - await self._progress.answered(request_id))
        await self._send([self._request(topic, request_id) for topic in missing])
        self._asked_at = now
        log.info(
            "asked for every state again",
            extra={"action": "republish_asked", "topics": missing, "request_id": request_id},
        )

    def _request(self, topic: str, request_id: str) -> Outgoing:
        asked = Republish(
            topic=topic, asked_by=ASKED_BY, request_id=request_id, state=RepublishState.ASKED,
            at=self._clock.now(),
        )  # fmt: skip
        return Outgoing(
            topic=REPUBLISHES.name, partition=REPUBLISHES.partition_of(asked), key=asked.key(),
            value=asked.encode(),
            headers=headers_for(
                id_=f"{request_id}/{topic}/asked", source="stocktide:availability",
                type_=REPUBLISHES.ce_type, time=asked.at,
            ),
        )  # fmt: skip
