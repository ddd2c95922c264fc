"""Holds over Kafka: done as over HTTP, answered, and answered again."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest
import pytest_asyncio
from aiokafka.errors import KafkaConnectionError

from services.ledger.handlers.hold_requests import AT_ONCE, HoldRequests, read_asked
from services.ledger.repository.parking import Refusal
from shared.contracts.hold_requests import HoldAnswer, HoldProblem
from shared.contracts.holds import HoldState
from shared.contracts.topics import HOLD_ANSWERS, HOLD_REQUESTS
from shared.kafka.producing import Outgoing
from shared.testing.messages import a_message
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter, units

Told = Mapping[str, object]
RESERVE: Told = {
    "kind": "reserve", "hold_id": "h1", "purpose": "cart", "channel": "web",
    "lines": [{"sku": "S1", "quantity": 2}],
}  # fmt: skip
RELEASE: Told = {"kind": "release", "hold_id": "h1"}
EXTEND: Told = {"kind": "extend", "hold_id": "h1", "ttl_seconds": 60}
CONFIRM: Told = {"kind": "confirm", "hold_id": "h1", "order_id": "O1", "line_ids": ["1"]}


@dataclass(slots=True)
class Desk:
    """Asks as an adapter does, and reads the answers."""

    counter: Counter
    sent: list[Outgoing] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    is_away: bool = False

    async def ask(self, *requests: Told | bytes, key: bytes | None = None) -> list[HoldAnswer]:
        messages = [
            replace(a_message(told, offset=i, topic=HOLD_REQUESTS.name), key=key)
            for i, told in enumerate(requests)
        ]
        before = len(self.sent)
        asked = read_asked(messages, self.refusals)
        await HoldRequests(self.counter.holding, self.send).answer(asked)
        return [answer_in(message) for message in self.sent[before:]]

    async def send(self, messages: Sequence[Outgoing]) -> None:
        if self.is_away:
            raise KafkaConnectionError
        self.sent += messages


def answer_in(message: Outgoing) -> HoldAnswer:
    answer = HOLD_ANSWERS.decode(message.value)
    assert isinstance(answer, HoldAnswer), answer
    return answer


@pytest_asyncio.fixture(loop_scope="session")
async def desk(ledger: LedgerBench) -> AsyncIterator[Desk]:
    async with open_counter(ledger) as counter:
        await counter.refer(a_channel("web", "L1"))
        await counter.receive(5)
        yield Desk(counter)
        assert await counter.miscounted() == []


async def test_a_life_of_a_hold_is_asked_and_answered_in_order(desk: Desk) -> None:
    answers = await desk.ask(RESERVE, EXTEND, CONFIRM, RELEASE)

    assert [(a.asked, a.hold.state if a.hold else None, a.problem) for a in answers] == [
        ("reserve", HoldState.HELD, None),
        ("extend", HoldState.HELD, None),
        ("confirm", HoldState.CONFIRMED, None),
        ("release", HoldState.CONFIRMED, HoldProblem.NOT_HELD),
    ]
    assert await desk.counter.ledger.level() == {"sellable": 5, "reserved": 0, "allocated": 2}


async def test_a_refusal_is_an_answer(desk: Desk) -> None:
    [answer] = await desk.ask({**RESERVE, "lines": [{"sku": "S1", "quantity": 9}]})

    assert answer.problem is None
    assert answer.hold is not None
    assert answer.hold.state is HoldState.REFUSED
    assert answer.hold.lines[0].refused is not None


async def test_read_again_it_is_answered_again_and_holds_nothing_more(desk: Desk) -> None:
    first, again = await desk.ask(RESERVE), await desk.ask(RESERVE)

    assert first[0].hold == again[0].hold
    assert desk.sent[0].headers == desk.sent[1].headers
    assert await desk.counter.reserved() == 2


async def test_the_same_request_over_http_is_the_same_hold(desk: Desk) -> None:
    by_http = await desk.counter.hold(a_line(2), hold_id="h1")

    same, other = await desk.ask(RESERVE, {**RESERVE, "purpose": "order"})

    assert same.hold is not None
    assert units(same.hold) == units(by_http)
    assert other.problem is HoldProblem.ID_TAKEN
    assert await desk.counter.reserved() == 2


@pytest.mark.parametrize(
    ("told", "problem"),
    [
        pytest.param(RELEASE, HoldProblem.UNKNOWN_HOLD, id="release_of_nothing"),
        pytest.param(EXTEND, HoldProblem.UNKNOWN_HOLD, id="extend_of_nothing"),
        pytest.param(CONFIRM, HoldProblem.UNKNOWN_HOLD, id="confirm_of_nothing"),
        pytest.param(
            {**RESERVE, "until": at(-60).isoformat()}, HoldProblem.ENDS_IN_PAST, id="too_late"
        ),
    ],
)
async def test_what_cannot_be_done_says_why(desk: Desk, told: Told, problem: HoldProblem) -> None:
    [answer] = await desk.ask(told)

    assert (answer.problem, answer.hold) == (problem, None)


@pytest.mark.parametrize("told", [b"{", b'{"kind": "swap", "hold_id": "h1"}'])
async def test_what_nobody_can_read_is_parked_and_answered_where_its_key_is_an_id(
    desk: Desk, told: bytes
) -> None:
    with_id, without = await desk.ask(told, key=b"h1"), await desk.ask(told, key=b"\xff")

    assert [(a.hold_id, a.asked, a.problem) for a in with_id] == [
        ("h1", "unknown", HoldProblem.INVALID)
    ]
    assert without == []
    assert len(desk.refusals) == 2


async def test_first_come_first_served_over_more_than_are_asked_at_once(desk: Desk) -> None:
    asked = [
        {**RESERVE, "hold_id": f"h{n}", "lines": [{"sku": "S1", "quantity": 1}]}
        for n in range(AT_ONCE + 5)
    ]

    answers = await desk.ask(*asked)

    held = [a.hold_id for a in answers if a.hold and a.hold.state is HoldState.HELD]
    assert held == [f"h{n}" for n in range(5)]
    assert len(answers) == AT_ONCE + 5


async def test_while_kafka_is_away_nothing_is_passed_over(desk: Desk) -> None:
    desk.is_away = True
    with pytest.raises(ConnectionError):
        await desk.ask(RESERVE)

    desk.is_away = False
    [answer] = await desk.ask(RESERVE)

    assert answer.hold is not None
    assert answer.hold.state is HoldState.HELD
    assert await desk.counter.reserved() == 2


async def test_a_batch_moves_past_requests_only_after_they_are_answered(
    ledger: LedgerBench, desk: Desk
) -> None:
    position = "select next_offset from ledger.positions where topic = $1"
    seen: list[object] = []

    async def answer(requests: Sequence[object]) -> None:
        seen.extend(row["next_offset"] for row in await ledger.ask(position, HOLD_REQUESTS.name))

    ledger.handler._asked = answer
    await ledger.tell(HOLD_REQUESTS.name, [a_message(RESERVE, topic=HOLD_REQUESTS.name)])

    after = await ledger.ask(position, HOLD_REQUESTS.name)
    assert (seen, [row["next_offset"] for row in after]) == ([0], [1])
