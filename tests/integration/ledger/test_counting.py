"""Count sheets, and what counts found, on a real database and over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest_asyncio

from services.ledger.handlers.costing import Costing
from services.ledger.repository.counting import late_counter
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import Counter, open_counter

SINCE = "2026-05-01T00:00:00Z"


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        yield opened


def receipt(quantity: int, minute: float = 0, **more: object) -> dict[str, object]:
    return a_movement(
        type="receipt", quantity=quantity, unit_cost="4", currency="EUR",
        occurred_at=at(minute).isoformat(), **more,
    )  # fmt: skip


def a_count(quantity: int, minute: float, **more: object) -> dict[str, object]:
    return a_movement(type="count", quantity=quantity, occurred_at=at(minute).isoformat(), **more)


async def get(counter: Counter, path: str, **query: object) -> Any:
    async with counter.http() as client:
        answer = await client.get(path, params={k: str(v) for k, v in query.items()})
    assert answer.status_code == 200, answer.text
    return answer.json() if "json" in answer.headers["content-type"] else answer.text


async def counts(counter: Counter, **query: object) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await get(counter, "/v1/counts", since=SINCE, **query))["counts"]
    return found


async def test_a_sheet_names_what_is_there_or_was_looked_for_and_tells_no_figure(
    counter: Counter,
) -> None:
    await counter.ledger.know(skus=["S2", "S3", "S4"])
    await counter.ledger.move(
        receipt(5), receipt(3, sku="S2", to={"bucket": "damaged"}),
        receipt(2, sku="S3"), a_movement(sku="S3", quantity=2), receipt(1, sku="S4", location="L2"),
    )  # fmt: skip
    short = {"location": "L1", "at": at(40).isoformat()}
    await counter.ledger.command(
        {"order_id": "O1", "sku": "S3", "wanted": 0, "candidates": [], "short_at": [short]}
    )

    sheet = await get(counter, "/v1/count-sheets/L1", format="csv")
    page = await get(counter, "/v1/count-sheets/L1", after="S1", limit=1)
    suspended = await get(counter, "/v1/count-sheets/L1", suspended=True)
    await counter.ledger.move(a_count(0, 50, sku="S3"))
    after = await get(counter, "/v1/count-sheets/L1")

    assert sheet.splitlines() == ["sku,location,quantity", "S1,L1,", "S2,L1,", "S3,L1,"]
    assert (page["skus"], suspended["skus"], after["skus"]) == (["S2"], ["S3"], ["S1", "S2"])


async def test_a_count_has_its_variance_and_its_value_at_the_cost_of_its_moment(
    counter: Counter,
) -> None:
    await counter.ledger.move(receipt(10), a_count(7, 10))
    await counter.ledger.move(receipt(10, 20))
    await Costing(counter.ledger.pool, asyncio.Event()).turn()

    [found] = await counts(counter)

    assert {k: found[k] for k in ("book", "counted", "variance", "value", "recount")} == {
        "book": 10, "counted": 7, "variance": -3, "value": "-12.00", "recount": False,
    }  # fmt: skip
    assert [one["recount"] for one in await counts(counter, recount_value=12)] == [True]
    assert [one["recount"] for one in await counts(counter, recount_units=3)] == [True]


async def test_what_comes_late_and_what_is_corrected_changes_the_variance_that_is_told(
    counter: Counter,
) -> None:
    paper = {"kind": "sheet", "number": "1", "line": "1"}
    await counter.ledger.move(receipt(10), a_count(7, 10, document=paper))
    await counter.ledger.move(a_movement(quantity=2, occurred_at=at(5).isoformat()))
    [late] = await counts(counter)
    await counter.ledger.move(a_count(9, 10, document=paper | {"revision": 1}))

    [corrected] = await counts(counter)

    assert (late["book"], late["variance"]) == (8, -1)
    assert (corrected["counted"], corrected["variance"]) == (9, 1)
    assert corrected["document"]["number"] == "1"


async def test_counts_are_told_page_by_page_in_their_order_with_what_they_come_to(
    counter: Counter,
) -> None:
    await counter.ledger.know(skus=["S2"])
    await counter.ledger.move(receipt(10), receipt(10, sku="S2"))
    await counter.ledger.move(a_count(9, 10), a_count(4, 20, sku="S2"), a_count(9, 30))

    whole = await get(counter, "/v1/counts", since=SINCE)
    first = whole["counts"][0]
    rest = await counts(counter, after=first["at"], after_id=first["event_id"])
    one = await counts(counter, sku="S2", location="L1")

    assert [c["variance"] for c in whole["counts"]] == [-1, -6, 0]
    assert [c["variance"] for c in rest] == [-6, 0]
    assert [c["sku"] for c in one] == ["S2"]
    assert whole["summary"] == {
        "counts": 3, "found": 0, "missing": 7, "values": {}, "accuracy": 0.6667,
    }  # fmt: skip


async def close(counter: Counter, location: str = "L1", **more: object) -> dict[str, Any]:
    async with counter.http() as client:
        answer = await client.post("/v1/count-closings", json={"location": location, **more})
    told: dict[str, Any] = answer.json() | {"status": answer.status_code}
    return told


async def test_what_comes_late_to_a_closed_count_leaves_its_variance_and_is_told_apart(
    counter: Counter,
) -> None:
    ledger = counter.ledger
    await ledger.move(receipt(10), a_count(8, 20), a_count(4, 50, location="L2"))

    closed = await close(counter)
    await ledger.move(a_movement(quantity=2, occurred_at=at(5).isoformat()))

    found = {one["location"]: one for one in await counts(counter)}
    assert (closed["status"], closed["counts"]) == (201, 1)
    assert (found["L1"]["variance"], found["L1"]["late"], found["L1"]["book"]) == (-2, 2, 10)
    assert (found["L2"]["variance"], found["L2"]["closed_at"], found["L2"]["late"]) == (4, None, 0)
    assert await ledger.sellable() == 8
    async with ledger.pool.acquire() as connection:
        assert await late_counter(real_now, timedelta(days=1))(connection) == 1


async def test_a_live_count_is_restated_and_nothing_of_it_is_late(counter: Counter) -> None:
    await counter.ledger.move(receipt(10), a_count(8, 20))
    await counter.ledger.move(a_movement(quantity=2, occurred_at=at(5).isoformat()))

    [found] = await counts(counter)

    assert (found["variance"], found["late"], found["closed_at"]) == (0, 0, None)


async def test_counts_after_the_closing_are_open(counter: Counter) -> None:
    await counter.ledger.move(receipt(10), a_count(8, 10))
    await close(counter, until=at(15).isoformat())
    await counter.ledger.move(a_count(7, 20), a_count(9, 5))

    found = [(one["at"][14:16], one["closed_at"] is not None) for one in await counts(counter)]

    assert found == [("05", False), ("10", True), ("20", False)]
    async with counter.ledger.pool.acquire() as connection:
        assert await late_counter(real_now, timedelta(days=1))(connection) == 1


async def test_nobody_closes_the_counts_of_an_unknown_place(counter: Counter) -> None:
    assert (await close(counter, "nowhere"))["status"] == 404


def real_now() -> datetime:
    """Closings are the database's moments."""
    return datetime.now(UTC)
