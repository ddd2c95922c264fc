"""ERPNext #53773: one back-dated entry had every later entry of the item valued and posted anew."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from services.ledger.handlers.costing import Costing
from shared.testing.messages import a_movement
from shared.testing.servers import Databases
from tests.integration.ledger.bench import LedgerBench, at, migrate_ledger, open_bench

LATER = 60
VERSIONS = "select sku, location, version from ledger.levels join ledger.skus using (sku_id)" \
    " join ledger.locations using (location_id)"  # fmt: skip


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("ledger", migrate_ledger)


@pytest_asyncio.fixture(loop_scope="session")
async def ledger(database: str) -> AsyncIterator[LedgerBench]:
    async with open_bench(database) as bench:
        await bench.know(skus=["S1", "S2"], locations=["L1", "L2"])
        yield bench


async def versions(ledger: LedgerBench) -> dict[tuple[str, str], object]:
    rows = await ledger.ask(VERSIONS)
    return {(str(row["sku"]), str(row["location"])): row["version"] for row in rows}


async def rows(ledger: LedgerBench) -> int:
    [row] = await ledger.ask("select count(*)::int as n from ledger.movements")
    return int(str(row["n"]))


async def test_backdated_touches_only_affected_levels_rows_and_costs(ledger: LedgerBench) -> None:
    for sku, place in (("S1", "L1"), ("S1", "L2"), ("S2", "L1")):
        await ledger.move(
            *(
                a_movement(
                    type="receipt", sku=sku, location=place, quantity=1, unit_cost="4",
                    currency="EUR", occurred_at=at(minute).isoformat(),
                )
                for minute in range(LATER)
            )
        )  # fmt: skip
    await Costing(ledger.pool, asyncio.Event()).turn()
    before, posted = await versions(ledger), await rows(ledger)
    points = await ledger.ask("select sku_id, at, states from ledger.cost_points")

    await ledger.move(a_movement(quantity=1, occurred_at=at(0.5).isoformat()))
    worked = await Costing(ledger.pool, asyncio.Event()).turn()

    after = await versions(ledger)
    assert [key for key in after if after[key] != before[key]] == [("S1", "L1")]
    assert await rows(ledger) == posted + 1
    assert worked == 1
    again = await ledger.ask("select sku_id, at, states from ledger.cost_points")
    untouched = [p for p in points if p["sku_id"] == 2 or str(p["at"]) < str(at(0.5))]
    assert [p for p in untouched if p not in again] == []
