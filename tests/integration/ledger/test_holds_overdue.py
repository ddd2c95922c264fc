"""Holds that nobody has ended for longer than their kind allows."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio

from services.ledger.repository.overdue import counter_of
from services.ledger.settings import LedgerSettings
from shared.contracts.holds import Purpose
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter

LONG = 10_000_000


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1", "L2", "L3"))
        yield opened


async def overdue(counter: Counter, **query: str) -> list[str]:
    async with counter.http() as http:
        answer = await http.get("/v1/holds", params={"overdue": "true", **query})
    return [hold["hold_id"] for hold in answer.json()["holds"]]


async def test_a_hold_is_overdue_at_the_age_of_its_kind_and_only_while_it_is_open(
    counter: Counter,
) -> None:
    await counter.receive(9)
    await counter.hold(a_line(1), hold_id="cart", ttl_seconds=LONG)
    await counter.hold(a_line(1), hold_id="over", ttl_seconds=60)
    await counter.hold(a_line(1), hold_id="let-go", ttl_seconds=LONG)
    await counter.hold(a_line(1), hold_id="reserved", purpose=Purpose.ORDER, ttl_seconds=LONG)
    await counter.holding.release("let-go")

    counter.ledger.clock.advance(seconds=2 * 3600)
    assert await overdue(counter) == []

    counter.ledger.clock.advance(seconds=1)
    assert await overdue(counter) == ["cart"]
    counter.ledger.clock.advance(seconds=46 * 3600)
    assert await overdue(counter) == ["cart", "reserved"]
    assert await overdue(counter, location="L2") == []


async def test_overdue_holds_are_counted_by_kind(counter: Counter) -> None:
    await counter.receive(9)
    await counter.hold(a_line(1), a_line(2), hold_id="one", ttl_seconds=LONG)
    counter.ledger.clock.advance(seconds=3 * 3600)
    allowed = LedgerSettings().overdue_after

    async with counter.ledger.pool.acquire() as connection:
        for kind, expected in (("cart", 1), ("order", 0)):
            count = counter_of(kind, allowed, counter.ledger.clock.now)
            assert await count(connection) == expected


async def test_a_list_needs_a_location_or_to_be_of_what_is_overdue(counter: Counter) -> None:
    async with counter.http() as http:
        assert (await http.get("/v1/holds")).status_code == 422


def test_each_kind_has_an_age() -> None:
    allowed = LedgerSettings().overdue_after

    assert set(allowed) == {kind.value for kind in Purpose}
    assert allowed["cart"] == timedelta(hours=2)
