"""A reader that starts from nothing is told every state again, and then that it has been."""

import asyncio

import pytest

from services.ledger.handlers import republishing
from services.ledger.handlers.republishing import Republishing
from services.ledger.repository.publishing import LedgerStates
from shared.contracts.republishing import Republish, RepublishState
from shared.contracts.topics import REPUBLISHES
from shared.kafka.producing import Outgoing
from shared.testing.messages import a_message, a_movement
from tests.integration.ledger.bench import LedgerBench


class Answers:
    """What the ledger would send."""

    def __init__(self, ledger: LedgerBench) -> None:
        self.sent: list[Outgoing] = []
        self.republishing = Republishing(
            ledger.pool, self._send, ledger.clock, asyncio.Event(), woken=lambda: None
        )
        self._states = LedgerStates(ledger.pool)

    async def _send(self, messages: object) -> None:
        assert isinstance(messages, list)
        self.sent += messages

    async def relay(self) -> int:
        """Publish what is noted; returns how many states."""
        dirty = await self._states.unpublished(range(8), 1_000)
        await self._states.forget(dirty.rows)
        return len(dirty.keys)

    async def told(self) -> list[str]:
        """The requests that were answered."""
        answers = [Republish.decode(message.value) for message in self.sent]
        assert all(a.state is RepublishState.TOLD for a in answers)
        return [f"{a.topic} {a.request_id}" for a in answers]


async def ask(ledger: LedgerBench, request_id: str, topic: str = "stock-levels-v1") -> None:
    request = {
        "topic": topic, "asked_by": "availability", "request_id": request_id, "state": "asked",
        "at": "2026-06-01T12:00:00Z",
    }  # fmt: skip
    offset = ledger.offsets.get(REPUBLISHES.name, 0)
    message = a_message(request, offset=offset, topic=REPUBLISHES.name)
    await ledger.tell(REPUBLISHES.name, [message])


async def test_every_level_is_told_slice_by_slice_and_the_answer_comes_last(
    ledger: LedgerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republishing, "SLICE", 2)
    answers = Answers(ledger)
    await ledger.move(
        *[a_movement(sku=sku, location=at) for sku in ("S1", "S2") for at in ("L1", "L2", "L3")]
    )
    assert await answers.relay() == 6
    await ask(ledger, "a1")

    for _ in range(3):
        assert await answers.republishing.turn()
        assert not await answers.republishing.turn()
        assert await answers.told() == []
        assert await answers.relay() == 2
    assert await answers.republishing.turn()

    assert await answers.told() == ["stock-levels-v1 a1"]
    assert not await answers.republishing.turn()


async def test_lines_are_told_again_too_and_other_topics_are_not_ours(
    ledger: LedgerBench,
) -> None:
    answers = Answers(ledger)
    await ledger.command({"order_id": "O1", "wanted": 2})
    await answers.relay()
    await ask(ledger, "b2", "allocations-v1")
    await ask(ledger, "b3", "orders-v1")

    assert await answers.republishing.turn()
    assert await answers.relay() == 1
    assert await answers.republishing.turn()

    assert await answers.told() == ["allocations-v1 b2"]
    assert not await answers.republishing.turn()


async def test_the_same_request_again_is_answered_again_without_telling_everything_twice(
    ledger: LedgerBench,
) -> None:
    answers = Answers(ledger)
    await ledger.move(a_movement())
    await ask(ledger, "c1")
    while await answers.republishing.turn():
        await answers.relay()
    await ask(ledger, "c1")

    assert await answers.republishing.turn()
    assert await answers.relay() == 0
    assert await answers.told() == ["stock-levels-v1 c1", "stock-levels-v1 c1"]

    await ask(ledger, "c2")
    assert await answers.republishing.turn()
    assert await answers.relay() == 1


async def test_an_empty_ledger_answers_at_once(ledger: LedgerBench) -> None:
    answers = Answers(ledger)
    await ask(ledger, "d1")

    assert await answers.republishing.turn()

    assert await answers.told() == ["stock-levels-v1 d1"]
