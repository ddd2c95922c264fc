"""Sources that say nothing: buffers as policies, from the last word to the next."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.ledger.handlers.listening import Listening
from services.ledger.handlers.silencing import Silencing
from services.ledger.repository.silences import count_silences
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.producing import Outgoing
from shared.testing.messages import NOON, a_message, a_movement
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import a_channel, a_line, open_counter, reasons
from tests.integration.ledger.reporters import declare

HOUR = 3_600
LIMIT = HOUR


@dataclass(slots=True)
class Ear:
    """What judges silences, and the policies that it told."""

    ledger: LedgerBench
    silencing: Silencing
    listening: Listening
    sent: list[Outgoing] = field(default_factory=list)
    hears_all: bool = True

    async def turn(self, *, hours: float = 0) -> dict[tuple[str | None, str], int]:
        """Let time pass and judge; what is told now, by SKU and location."""
        self.ledger.clock.advance(seconds=hours * HOUR)
        await self.listening.turn()
        await self.silencing.turn()
        told: dict[tuple[str | None, str], int] = {}
        for message in self.sent:
            record = json.loads(message.value)
            scope = record["scope"]
            assert record["term"] == ("silence_buffer" if scope.get("sku") else "suspended")
            assert record.get("deleted", False) == (record["value"] == 0)
            told[scope.get("sku"), scope["location"]] = record["value"]
        return {key: value for key, value in told.items() if value}


@asynccontextmanager
async def an_ear(ledger: LedgerBench) -> AsyncIterator[Ear]:
    """Over one ledger whose time is that of its clock."""
    closing = asyncio.Event()

    async def send(messages: Sequence[Outgoing]) -> None:
        ear.sent += messages

    async def hears_all() -> bool:
        return ear.hears_all

    silencing = Silencing(
        ledger.pool, send, ledger.clock, closing, roles=ledger.handler.roles,
        hears_all=hears_all, stop_after=4,
    )  # fmt: skip
    listening = Listening(ledger.handler, ledger.pool, closing, keep_days=90)
    ear = Ear(ledger=ledger, silencing=silencing, listening=listening)
    yield ear


async def sell(ledger: LedgerBench, quantity: int, source: str = "till:1", **more: object) -> None:
    """A sale an hour before now, by the ledger's clock, recorded then."""
    now = ledger.clock.now()
    await ledger.move(
        a_movement(quantity=quantity, occurred_at=now - timedelta(minutes=1), **more),
        source=source,
    )
    await recorded(ledger, now)


async def recorded(ledger: LedgerBench, at: datetime) -> None:
    """Movements are recorded by the database's clock, which a test does not move."""
    await ledger.ask("update ledger.movements set recorded_at = $1 returning 1", at)


async def a_busy_till(ledger: LedgerBench, *, limit: int = LIMIT) -> None:
    """It sold 56 units in the 28 days before noon and an hour: two a day."""
    await declare(ledger, "till:1", "posts", max_silence_seconds=limit)
    await sell(ledger, 56)


async def test_a_silent_till_holds_back_what_it_will_have_sold(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        assert await ear.turn() == {}
        assert await ear.turn(hours=1) == {}
        assert await ear.turn(hours=1) == {("S1", "L1"): 1}
        assert await ear.turn(hours=11) == {("S1", "L1"): 2, (None, "L1"): 1}


async def test_the_next_word_ends_it(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        assert await ear.turn(hours=5) == {("S1", "L1"): 1, (None, "L1"): 1}
        await sell(ledger, 1)

        assert await ear.turn() == {}
        assert await ear.turn() == {}
        assert len(ear.sent) == 4


async def test_nothing_is_told_twice(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        await ear.turn(hours=2)
        await ear.turn(hours=0.01)

        assert len(ear.sent) == 1


async def test_a_word_for_another_location_does_not_break_the_silence_here(
    ledger: LedgerBench,
) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        await ear.turn(hours=0.5)
        await sell(ledger, 1, location="L2")

        assert await ear.turn(hours=0.4) == {}
        assert await ear.turn(hours=0.2) == {("S1", "L1"): 1}


async def test_only_what_the_silent_source_sold_is_expected(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)
    await sell(ledger, 500, source="till:2")

    async with an_ear(ledger) as ear:
        await ear.turn()

        assert await ear.turn(hours=2) == {("S1", "L1"): 1}


async def test_time_in_which_the_ledger_did_not_listen_is_no_silence(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        ear.hears_all = False
        await ear.turn(hours=30)
        ear.hears_all = True

        assert await ear.turn() == {}
        assert await ear.turn(hours=0.9) == {}
        assert (await ear.turn(hours=0.2))["S1", "L1"] == 3

    async with an_ear(ledger) as restarted:
        assert await restarted.turn(hours=12) == {("S1", "L1"): 4, (None, "L1"): 1}


async def test_a_closed_store_is_not_silent(ledger: LedgerBench) -> None:
    days = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
    topic, start = REFERENCE_DATA.name, ledger.offsets[REFERENCE_DATA.name]
    records: list[dict[str, object]] = [
        {"kind": "calendar", "calendar_id": "shop",
         "opening_hours": [{"day": day, "opens": "08:00", "closes": "14:00"} for day in days]},
        {"kind": "location", "location_id": "L1", "location_kind": "store", "calendar": "shop",
         "revision": 1},
    ]  # fmt: skip
    await ledger.tell(
        topic, [a_message(r, offset=start + n, topic=topic) for n, r in enumerate(records)]
    )
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        assert await ear.turn(hours=18.9) == {}
        assert await ear.turn(hours=0.5) == {("S1", "L1"): 1}


async def test_a_source_whose_limit_is_taken_away_is_forgiven(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        assert await ear.turn(hours=2) == {("S1", "L1"): 1}
        await declare(ledger, "till:1", "posts", revision=1)

        assert await ear.turn() == {}


async def test_a_location_that_ends_is_not_waited_for(ledger: LedgerBench) -> None:
    await a_busy_till(ledger)

    async with an_ear(ledger) as ear:
        await ear.turn()
        assert await ear.turn(hours=2) == {("S1", "L1"): 1}
        topic, start = REFERENCE_DATA.name, ledger.offsets[REFERENCE_DATA.name]
        record = {
            "kind": "location", "location_id": "L1", "location_kind": "store", "revision": 1,
            "until": ledger.clock.now().isoformat(),
        }  # fmt: skip
        await ledger.tell(topic, [a_message(record, offset=start, topic=topic)])

        assert await ear.turn() == {}


async def test_who_sold_nothing_is_listed_as_silent_and_holds_nothing_back(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "wms:1", "posts", max_silence_seconds=LIMIT)
    await ledger.move(a_movement(type="receipt"), source="wms:1")

    async with an_ear(ledger) as ear:
        await ear.turn()

        assert await ear.turn(hours=20) == {}
    async with ledger.pool.acquire() as connection:
        assert await count_silences(connection) == 1


async def test_a_silent_source_is_listed_and_its_buffer_binds_who_asks_for_a_hold(
    ledger: LedgerBench,
) -> None:
    await a_busy_till(ledger)
    counted = a_movement(type="count", quantity=3, occurred_at=ledger.clock.now())
    await ledger.move(counted, source="counter:1")

    async with an_ear(ledger) as ear, open_counter(ledger) as counter:
        await counter.refer(a_channel("web", "L1"))
        await ear.turn()
        await ear.turn(hours=2)
        topic, start = REFERENCE_DATA.name, ledger.offsets[REFERENCE_DATA.name]
        await ledger.tell(
            topic,
            [a_message(m.value, offset=start + n, topic=topic) for n, m in enumerate(ear.sent)],
        )

        hold = await counter.hold(a_line(3))
        async with counter.http() as client:
            told = (await client.get("/v1/sources")).json()["sources"]

    refused = reasons(hold)[0]
    assert refused is not None
    assert refused[2] == 2
    silent = {source["source"]: source["silent_at"] for source in told}
    assert [(at["location"], at["is_stopped"]) for at in silent["till:1"]] == [("L1", False)]
    assert silent["counter:1"] == []
    assert ledger.clock.now() == NOON + timedelta(hours=3)
