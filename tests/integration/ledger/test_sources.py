"""Who tells: roles, the last word, missing numbers, and what people can ask about it."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest
import pytest_asyncio

from services.ledger.handlers.listening import Listening
from services.ledger.repository.observations import counts
from services.ledger.repository.sources import open_gaps, undeclared
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench
from tests.integration.ledger.counter import open_counter
from tests.integration.ledger.reporters import count_all, declare, look


@pytest_asyncio.fixture(loop_scope="session")
async def http(ledger: LedgerBench) -> AsyncIterator[httpx.AsyncClient]:
    async with open_counter(ledger) as counter, counter.http() as client:
        yield client


def listening(ledger: LedgerBench, keep_days: int = 90) -> Listening:
    return Listening(ledger.handler, ledger.pool, asyncio.Event(), keep_days=keep_days)


async def missing(ledger: LedgerBench, source: str = "wms:1") -> list[tuple[object, object]]:
    await count_all(ledger)
    rows = await ledger.ask(
        "select lo, hi from ledger.sequences join ledger.sources using (source_id),"
        " unnest(missing_from, missing_to) as gap(lo, hi) where source = $1", source,
    )  # fmt: skip
    return [(row["lo"], row["hi"]) for row in rows]


async def test_a_missing_number_is_a_gap_until_it_comes(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(sequence=1), a_movement(sequence=2), source="wms:1")
    await ledger.move(a_movement(sequence=6), source="wms:1")
    assert await missing(ledger) == [(3, 5)]

    await ledger.move(a_movement(sequence=4), a_movement(sequence=6), source="wms:1")
    assert await missing(ledger) == [(3, 3), (5, 5)]

    await ledger.move(a_movement(sequence=5), a_movement(sequence=3), source="wms:1")
    assert await missing(ledger) == []


async def test_a_number_counts_whatever_becomes_of_its_message(ledger: LedgerBench) -> None:
    await declare(ledger, "wms:1")

    await ledger.move(
        a_movement(sequence=1), a_movement(sequence=2, sku="UNKNOWN"),
        a_movement(sequence=3, type="count"), a_movement(sequence=5), source="wms:1",
    )  # fmt: skip

    assert await missing(ledger) == [(4, 4)]


async def test_workers_that_hear_one_source_count_together(
    ledger: LedgerBench, database: str
) -> None:
    await ledger.move(*[a_movement(sequence=n) for n in range(0, 200, 2)], source="wms:1")
    async with open_bench(database, owner="other") as other:
        other.offsets.update(ledger.offsets)
        await other.move(*[a_movement(sequence=n) for n in range(1, 200, 2)], source="wms:1")
        await asyncio.gather(count_all(ledger), count_all(other))

    assert await missing(ledger) == []


async def test_sources_are_listed_with_role_last_word_and_gaps(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    await declare(ledger, "erp:1", rules=[{"location": "L1", "role": "posts"}])
    await ledger.move(a_movement(sequence=1), a_movement(sequence=4), source="till:9")
    await listening(ledger).turn()

    told = (await http.get("/v1/sources")).json()["sources"]

    erp, till = told
    assert (erp["source"], erp["declared"], erp["role"], erp["rules"]) == (
        "erp:1", True, "observes", 1,
    )  # fmt: skip
    assert erp["heard_at"] is None
    assert (till["source"], till["declared"], till["role"]) == ("till:9", False, "posts")
    assert till["heard_at"].startswith("2026-06-01T13:00")
    assert [(gap["first"], gap["last"]) for gap in till["sequence"]["gaps"]] == [(2, 3)]


async def test_the_last_word_is_noted_on_every_road_and_never_falls(
    ledger: LedgerBench, database: str
) -> None:
    await declare(ledger, "erp:1")
    ledger.clock.advance(seconds=600)
    for movement, source in (
        (a_movement(), "first"), (a_movement(), "alone"), (a_movement(), "erp:1"),
        (a_movement(type="count"), "counter"),
    ):  # fmt: skip
        await ledger.move(movement, source=source)
    await listening(ledger).turn()

    async with open_bench(database, owner="with a slow clock") as other:
        other.offsets.update(ledger.offsets)
        await other.move(a_movement(), source="alone")
        await listening(other).turn()

    heard = await ledger.ask("select source, heard_at::time::text as at from ledger.sources")
    assert {str(row["source"]): row["at"] for row in heard} == dict.fromkeys(
        ("first", "alone", "erp:1", "counter"), "13:10:00"
    )


async def test_who_posts_undeclared_is_counted_and_our_own_services_are_not(
    ledger: LedgerBench,
) -> None:
    await declare(ledger, "wms:1", "posts")
    for source in ("wms:1", "till:1", "stocktide:orders"):
        await ledger.move(a_movement(), source=source)
    await listening(ledger).turn()

    async with ledger.pool.acquire() as connection:
        assert await undeclared(connection) == 1


async def test_open_gaps_are_counted_once_disorder_does_not_explain_them(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(sequence=1), a_movement(sequence=4), source="wms:1")
    await count_all(ledger)

    async with ledger.pool.acquire() as connection:
        assert await open_gaps(connection, 60.0) == 0
        assert await open_gaps(connection, 0.0) == 1


async def test_observations_are_listed_by_state_and_source(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    line = {"order_id": "O1", "line_id": "1"}
    await declare(ledger, "shop:1")
    await declare(ledger, "erp:1")
    await ledger.move(a_movement(order_line=line))
    await ledger.move(a_movement(quantity=3, order_line=line), source="shop:1")
    await ledger.move(a_movement(), source="erp:1")
    await look(ledger)

    differing = (await http.get("/v1/observations", params={"state": "differing"})).json()
    assert [(o["source"], o["difference"], o["posted"]) for o in differing["observations"]] == [
        ("shop:1", 2, 1)
    ]
    assert differing["observations"][0]["details"] == {"order_line": line}
    assert differing["counts"] == {"waiting": 1, "differing": 1}
    waiting = (await http.get("/v1/observations", params={"state": "waiting"})).json()
    assert [o["source"] for o in waiting["observations"]] == ["erp:1"]
    query = {"state": "waiting", "source": "shop:1"}
    assert (await http.get("/v1/observations", params=query)).json()["observations"] == []
    assert (await http.get("/v1/observations")).json()["observations"] == []
    assert (await http.get("/v1/observations", params={"state": "odd"})).status_code == 422


@pytest.mark.parametrize(("keep_days", "kept"), [(90, 0), (92, 1)])
async def test_old_observations_are_forgotten(
    ledger: LedgerBench, keep_days: int, kept: int
) -> None:
    await declare(ledger, "shop:1")
    await ledger.move(a_movement(), source="shop:1")
    await ledger.ask(
        "update ledger.observations set recorded_at = now() - interval '91 days' returning 1"
    )

    await listening(ledger, keep_days).turn()

    async with ledger.pool.acquire() as connection:
        assert sum((await counts(connection, timedelta(days=1))).values()) == kept
