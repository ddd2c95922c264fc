"""Odoo #22850: a lot whose day was over stayed in what could be sold and promised."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.contracts.holds import HoldState
from shared.testing.servers import Databases
from tests.integration.ledger.bench import LedgerBench, migrate_ledger, open_bench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter
from tests.integration.ledger.test_lots import pass_days, receipt, settle


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("ledger", migrate_ledger)


@pytest_asyncio.fixture(loop_scope="session")
async def counter(database: str) -> AsyncIterator[Counter]:
    async with open_bench(database) as bench, open_counter(bench) as opened:
        await bench.know(skus=["S1"], locations=["L1"])
        await opened.refer(
            a_channel("web", "L1"), {"kind": "product", "sku": "S1", "tracks_lots": True}
        )
        yield opened


async def test_expired_lot_hidden_from_what_may_be_sold_and_held(counter: Counter) -> None:
    ledger: LedgerBench = counter.ledger
    await ledger.move(receipt(6, "soon", 2), receipt(3, "late", 60))
    await settle(ledger)
    assert (await counter.hold(a_line(9), hold_id="all")).state is HoldState.HELD
    await counter.holding.release("all")

    pass_days(ledger, 3)
    await settle(ledger)

    assert await ledger.sellable() == 3
    assert (await counter.hold(a_line(4))).state is HoldState.REFUSED
    assert (await counter.hold(a_line(3), hold_id="rest")).state is HoldState.HELD
