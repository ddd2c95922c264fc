"""Requests of holds that come over Kafka: done as over HTTP, and answered.

Nothing here needs the batch's fence: a request that is read again, by this worker or by another,
finds its hold under the same id and gets the same answer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import NamedTuple

from aiokafka.errors import KafkaError
from pydantic import TypeAdapter, ValidationError

from services.ledger.handlers.collecting import UnavailableError
from services.ledger.handlers.holding import EndedError, Holding
from services.ledger.handlers.reserving import Conflict
from services.ledger.repository.messages import SOURCE
from services.ledger.repository.parking import Refusal
from shared.contracts.cloudevents import headers_for
from shared.contracts.fields import Identifier
from shared.contracts.hold_requests import (
    AskedOfHold,
    ConfirmHold,
    ExtendHold,
    HoldAnswer,
    HoldProblem,
    ReleaseHold,
    ReserveHold,
)
from shared.contracts.holds import Hold, HoldState
from shared.contracts.records import Undecodable
from shared.contracts.topics import HOLD_ANSWERS, HOLD_REQUESTS
from shared.kafka.batches import Message
from shared.kafka.producing import Outgoing

# So many are asked at once; the holds' own groups are smaller.
AT_ONCE = 1_000
HOLD_ID: TypeAdapter[str] = TypeAdapter(Identifier)
ENDED = frozenset({HoldState.RELEASED, HoldState.EXPIRED, HoldState.REFUSED})

Found = tuple[HoldProblem | None, Hold | None]
Send = Callable[[Sequence[Outgoing]], Awaitable[None]]


class Asked(NamedTuple):
    """One request; `told` is None where nobody could read it. `name` is the message's."""

    name: str
    hold_id: str
    told: AskedOfHold | None


def read_asked(messages: Sequence[Message], refusals: list[Refusal]) -> list[Asked]:
    """The requests of a batch; what holds none is refused, and answered where its key is an id."""
    found: list[Asked] = []
    for message in messages:
        name = f"hold-answer-{message.partition}-{message.offset}"
        told = HOLD_REQUESTS.decode(message.value)
        if isinstance(told, AskedOfHold):
            found.append(Asked(name, told.hold_id, told))
            continue
        assert isinstance(told, Undecodable), told
        refusals.append(Refusal(message=message, reason=str(told.reason), detail=told.detail))
        if (hold_id := _id_in(message.key)) is not None:
            found.append(Asked(name, hold_id, None))
    return found


def _id_in(key: bytes | None) -> str | None:
    try:
        return HOLD_ID.validate_python((key or b"").decode())
    except (UnicodeDecodeError, ValidationError):
        return None


class HoldRequests:
    """Does what is asked, in the order of arrival, and tells what became of it."""

    def __init__(self, holding: Holding, send: Send) -> None:
        self._holding = holding
        self._send = send

    async def answer(self, asked: Sequence[Asked]) -> None:
        """Do and answer all of it. Raises ConnectionError while that cannot be done: the same
        requests are answered again.
        """
        try:
            for start in range(0, len(asked), AT_ONCE):
                await self._send(await self._answers(asked[start : start + AT_ONCE]))
        except (UnavailableError, KafkaError) as error:
            raise ConnectionError(repr(error)) from error

    async def _answers(self, asked: Sequence[Asked]) -> list[Outgoing]:
        """What is asked of one hold is done one after the other, of several holds at once."""
        of_hold: dict[str, list[Asked]] = {}
        for one in asked:
            of_hold.setdefault(one.hold_id, []).append(one)
        answered = await asyncio.gather(*map(self._in_turn, of_hold.values()))
        return [answer for answers in answered for answer in answers]

    async def _in_turn(self, asked: Sequence[Asked]) -> list[Outgoing]:
        return [self._told(one, *await self._do(one.told)) for one in asked]

    async def _do(self, told: AskedOfHold | None) -> Found:
        try:
            match told:
                case None:
                    return HoldProblem.INVALID, None
                case ReserveHold():
                    return _reserved(await self._holding.reserve(told.hold_id, told))
                case ExtendHold():
                    return _still(await self._holding.extend(told.hold_id, told), HoldState.HELD)
                case ConfirmHold():
                    return _confirmed(await self._holding.confirm(told.hold_id, told))
                case ReleaseHold():
                    return _still(await self._holding.release(told.hold_id), *ENDED)
        except EndedError:
            return HoldProblem.ENDS_IN_PAST, None

    def _told(self, one: Asked, problem: HoldProblem | None, hold: Hold | None) -> Outgoing:
        answer = HoldAnswer(
            hold_id=one.hold_id, asked=one.told.kind if one.told else "unknown",
            answered_at=self._holding.now(), problem=problem, hold=hold,
        )  # fmt: skip
        return Outgoing(
            topic=HOLD_ANSWERS.name, partition=HOLD_ANSWERS.partition_of(answer),
            key=answer.key(), value=answer.encode(),
            headers=headers_for(
                id_=one.name, source=SOURCE, type_=HOLD_ANSWERS.ce_type, time=answer.answered_at
            ),
        )  # fmt: skip


def _reserved(answer: Hold | Conflict) -> Found:
    return (HoldProblem.ID_TAKEN, None) if isinstance(answer, Conflict) else (None, answer)


def _confirmed(answer: Hold | Conflict | None) -> Found:
    if isinstance(answer, Conflict):
        return HoldProblem.NOT_HELD, None
    return (HoldProblem.UNKNOWN_HOLD, None) if answer is None else (None, answer)


def _still(hold: Hold | None, *expected: HoldState) -> Found:
    """The hold, if it stands as expected; else it ended in another way before."""
    if hold is None:
        return HoldProblem.UNKNOWN_HOLD, None
    return (None if hold.state in expected else HoldProblem.NOT_HELD), hold
