"""magento/inventory #3165, Odoo #62139, ERPNext #55387: counters that left what made them."""

import random
from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.messages import a_movement
from shared.testing.servers import Databases
from tests.integration.ledger.bench import at, migrate_ledger, open_bench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter

PLACES = ("L1", "L2")
STEPS = 120
# Independent of the ledger's statements: what is booked for lines, against each level's counter.
MISALLOCATED = """
select l.level_id, l.allocated, coalesce(sum(a.quantity), 0)::bigint as booked
from ledger.levels l left join ledger.allocations a on a.level_id = l.level_id
group by l.level_id having l.allocated <> coalesce(sum(a.quantity), 0)
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("ledger", migrate_ledger)


@pytest_asyncio.fixture(loop_scope="session")
async def counter(database: str) -> AsyncIterator[Counter]:
    async with open_bench(database) as ledger:
        await ledger.know(skus=["S1"], locations=PLACES)
        async with open_counter(ledger) as opened:
            await opened.refer(a_channel("web", *PLACES))
            yield opened


async def test_counter_equals_ledger_whatever_comes_in_whatever_order(counter: Counter) -> None:
    rng, ledger = random.Random(11), counter.ledger
    held: list[str] = []

    for step in range(STEPS):
        place, quantity = rng.choice(PLACES), rng.randint(1, 4)
        match rng.randrange(7):
            case 0 | 1:
                await ledger.move(a_movement(type="receipt", location=place, quantity=quantity))
            case 2:
                await ledger.move(a_movement(location=place, quantity=quantity))
            case 3:
                await ledger.move(
                    a_movement(
                        type="count", location=place, quantity=quantity,
                        occurred_at=at(step / 3).isoformat(),
                    )
                )  # fmt: skip
            case 4:
                held.append((await counter.hold(a_line(quantity), partial=True)).hold_id)
            case 5 if held:
                await counter.holding.release(held.pop(rng.randrange(len(held))))
            case _:
                await ledger.command(
                    {"order_id": f"O{step % 9}", "wanted": quantity, "revision": step + 1,
                     "candidates": list(PLACES), "may_split": True}
                )  # fmt: skip
        assert await ledger.unbalanced() == [], step
        assert await counter.miscounted() == [], step
        assert await ledger.ask(MISALLOCATED) == [], step
