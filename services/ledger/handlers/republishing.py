"""Readers that start from nothing are told every state again, and then that it has been told."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from aiokafka.errors import KafkaError

from services.ledger.repository import republishing
from services.ledger.repository.parking import Refusal
from services.ledger.repository.republishing import Request
from shared.contracts.cloudevents import headers_for
from shared.contracts.records import Undecodable
from shared.contracts.republishing import Republish, RepublishState
from shared.contracts.topics import REPUBLISHES
from shared.kafka.batches import Message
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import TRANSIENT, Pool
from shared.runtime.clock import Clock
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

POLL_SECONDS = 1.0
RETRY_SECONDS = 0.5
SLICE = 20_000

Send = Callable[[Sequence[Outgoing]], Awaitable[None]]


def read_requests(messages: Sequence[Message], refusals: list[Refusal]) -> list[Request]:
    """The requests of a batch; answers, our own among them, are passed over."""
    found: list[Request] = []
    for message in messages:
        told = REPUBLISHES.decode(message.value)
        if isinstance(told, Undecodable):
            refusals.append(Refusal(message=message, reason=str(told.reason), detail=told.detail))
        elif isinstance(told, Republish) and told.state is RepublishState.ASKED:
            found.append(
                Request(topic=told.topic, asked_by=told.asked_by, request_id=told.request_id)
            )
    return found


class Republishing:
    """One slice at a time: the next is noted when the relay has published the one before, so that
    live changes wait behind one slice at most. Any worker does it, one of them at a time.
    """

    def __init__(
        self, pool: Pool, send: Send, clock: Clock, closing: asyncio.Event,
        *, woken: Callable[[], None],
    ) -> None:  # fmt: skip
        self._pool = pool
        self._send = send
        self._clock = clock
        self._closing = closing
        self._woken = woken

    async def run(self) -> None:
        """Work until told to close."""
        while not self._closing.is_set():
            pause = POLL_SECONDS
            try:
                await self.turn()
            except (KafkaError, *TRANSIENT) as error:
                log.warning("republishing waits", extra={"action": "retry", "reason": repr(error)})
                pause = RETRY_SECONDS
            await wait_for_event(self._closing, pause)

    async def turn(self) -> bool:
        """Note a slice, or answer; says whether anything was done."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            request = await republishing.take(connection)
            if request is None or await republishing.has_open(connection, request):
                return False
            noted = await republishing.note_slice(connection, request, SLICE)
        if noted:
            self._woken()
        else:
            await self._tell(request)
        return True

    async def _tell(self, request: Request) -> None:
        """Everything is on Kafka: say so. After a crash in between it is said once more."""
        await self._send([self._answer(request)])
        async with self._pool.acquire(timeout=5) as connection:
            await republishing.tell(connection, request)
        log.info(
            "every state was told again",
            extra={"action": "republished", "topic": request.topic, "asked_by": request.asked_by},
        )

    def _answer(self, request: Request) -> Outgoing:
        told = Republish(
            topic=request.topic, asked_by=request.asked_by, request_id=request.request_id,
            state=RepublishState.TOLD, at=self._clock.now(),
        )  # fmt: skip
        return Outgoing(
            topic=REPUBLISHES.name, partition=REPUBLISHES.partition_of(told), key=told.key(),
            value=told.encode(),
            headers=headers_for(
                id_=f"{request.request_id}/{request.topic}", source="stocktide:ledger",
                type_=REPUBLISHES.ce_type, time=told.at,
            ),
        )  # fmt: skip
