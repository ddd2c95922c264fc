"""Random histories told by several systems: the book is that of who posts, and all agree."""

import random
from datetime import timedelta

import pytest

from shared.testing.messages import NOON, a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench
from tests.integration.ledger.reporters import declare, observed

POSTING = "wms:1"
OBSERVING = ("shop:1", "marketplace:1", "erp:1")
SIGNS = {"shipment": -1, "receipt": 1, "return": 1, "supplier_return": -1}
FACTS = 25

Told = tuple[str, dict[str, object]]


def told_by_all(rng: random.Random, number: int) -> tuple[list[Told], tuple[str, str, int]]:
    """One fact as each system tells it, and what it does to a level: (sku, location, units)."""
    kind, sku, location = (
        rng.choice(list(SIGNS)),
        rng.choice(["S1", "S2"]),
        rng.choice(["L1", "L2"]),
    )
    units, minute = rng.randint(1, 9), rng.randint(-30, 30)
    key: dict[str, object] = rng.choice(
        [
            {"order_line": {"order_id": f"O{number}", "line_id": "1"}},
            {"supply_line": {"supply_id": f"P{number}", "line_id": "1"}},
            {"document": {"kind": "note", "number": f"N{number}"}},
        ]
    )
    more = {"to": {"bucket": "sellable"}} if kind == "return" else {}
    tellings: list[Told] = []
    for source in (POSTING, *rng.sample(OBSERVING, rng.randint(0, len(OBSERVING)))):
        parts = _portions(rng, units) if "document" not in key else [units]
        tellings += [
            (
                source,
                a_movement(
                    type=kind, sku=sku, location=location, quantity=part,
                    occurred_at=NOON + timedelta(minutes=minute + rng.randint(0, 3)),
                    ce_id=f"{number}/{source}/{place}", **key, **more,
                ),
            )
            for place, part in enumerate(parts)
        ]  # fmt: skip
    return tellings, (sku, location, SIGNS[kind] * units)


def _portions(rng: random.Random, units: int) -> list[int]:
    """A warehouse may send in two parcels what a shop tells at once."""
    first = rng.randint(1, units)
    return [first, units - first] if first < units else [units]


async def tell(ledger: LedgerBench, rng: random.Random, tellings: list[Told]) -> None:
    copies = [one for one in tellings for _ in range(rng.choice([1, 1, 2]))]
    rng.shuffle(copies)
    for source, movement in copies:
        await ledger.move(movement, source=source)
        if rng.random() < 0.1:
            await observed(ledger)


@pytest.mark.parametrize("seed", range(12))
async def test_what_several_systems_tell_in_any_order_moves_stock_once(
    database: str, seed: int
) -> None:
    rng = random.Random(seed)
    expected: dict[tuple[str, str], int] = {}
    tellings: list[Told] = []
    for number in range(FACTS):
        told, (sku, location, units) = told_by_all(rng, number)
        tellings += told
        expected[sku, location] = expected.get((sku, location), 0) + units

    async with open_bench(database) as ledger:
        await ledger.know(skus=["S1", "S2"], locations=["L1", "L2"])
        await declare(ledger, POSTING, "posts")
        for source in OBSERVING:
            await declare(ledger, source)
        await tell(ledger, rng, tellings)

        found = {
            (str(row["sku"]), str(row["location"])): row["sellable"]
            for row in await ledger.ask(
                "select sku, location, sellable from ledger.levels"
                " join ledger.skus using (sku_id) join ledger.locations using (location_id)"
            )
        }
        observations = await observed(ledger)
        parked, unbalanced = await ledger.parked(), await ledger.unbalanced()

    assert found == expected
    assert {row["state"] for row in observations} <= {"matched"}
    assert len(observations) == sum(source != POSTING for source, _ in tellings)
    assert (parked, unbalanced) == ({}, [])
