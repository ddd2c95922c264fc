"""What is on its way, and what of it cannot be right."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest_asyncio

from services.ledger.repository.transit import counter_of, list_in_transit
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import Counter, open_counter


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await ledger.move(a_movement(type="receipt", quantity=50, occurred_at=at(0).isoformat()))
        yield opened


async def dispatch(ledger: LedgerBench, quantity: int, minute: float, to: str = "L2") -> None:
    await ledger.move(
        a_movement(
            type="transfer_dispatch", quantity=quantity, to_location=to,
            occurred_at=at(minute).isoformat(),
        )
    )  # fmt: skip


async def receive(ledger: LedgerBench, quantity: int, minute: float, at_: str = "L2") -> None:
    await ledger.move(
        a_movement(
            type="transfer_receipt", quantity=quantity, location=at_,
            occurred_at=at(minute).isoformat(),
        )
    )  # fmt: skip


async def told(counter: Counter, **query: object) -> list[dict[str, Any]]:
    async with counter.http() as client:
        answer = await client.get("/v1/in-transit", params={k: str(v) for k, v in query.items()})
    found: list[dict[str, Any]] = answer.json()["levels"]
    return found


async def test_what_has_not_all_come_long_after_its_dispatch_is_a_discrepancy(
    counter: Counter,
) -> None:
    await dispatch(counter.ledger, 10, 10)
    await receive(counter.ledger, 7, 20)
    await dispatch(counter.ledger, 4, 50, to="L3")

    found = await told(counter)

    assert [(one["location"], one["quantity"], one["is_discrepancy"]) for one in found] == [
        ("L2", 3, True), ("L3", 4, False),
    ]  # fmt: skip
    assert [one["location"] for one in await told(counter, discrepancies=True)] == ["L2"]
    assert [one["location"] for one in await told(counter, location="L3")] == ["L3"]
    assert found[0]["received_at"].startswith("2026-06-01T12:20")


async def test_what_came_of_nothing_is_one_at_once_and_ends_with_its_dispatch(
    counter: Counter,
) -> None:
    await receive(counter.ledger, 5, 55)
    before = await told(counter)

    await dispatch(counter.ledger, 5, 54)

    assert [(one["quantity"], one["is_discrepancy"]) for one in before] == [(-5, True)]
    assert await told(counter) == []


async def test_discrepancies_are_counted(counter: Counter) -> None:
    await dispatch(counter.ledger, 10, 10)
    now = counter.ledger.clock.now
    async with counter.ledger.pool.acquire() as connection:
        later = await list_in_transit(
            connection, at(5), location=None, only_discrepancies=True, after=0, limit=10
        )
        assert later == []
        assert await counter_of(timedelta(minutes=30), now)(connection) == 1
        assert await counter_of(timedelta(hours=2), now)(connection) == 0


async def test_more_than_was_dispatched_is_a_discrepancy_at_once(counter: Counter) -> None:
    await dispatch(counter.ledger, 5, 50)
    await receive(counter.ledger, 8, 55)

    assert [(one["quantity"], one["is_discrepancy"]) for one in await told(counter)] == [(-3, True)]
