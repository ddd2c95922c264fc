"""Random histories with duplicates, disorder and batches of every size, against the model."""

import random
from datetime import timedelta

import pytest

from shared.testing.messages import NOON, a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench
from tests.simulation.ledger.model import Told, level_of

SEEDS = 40
SKUS_PER_SEED = 12
FACTS_MAX = 14

SIGNS = {"receipt": 1, "return": 0, "sale": -1, "shipment": -1, "disposal": -1, "pick": -1}


def history(rng: random.Random, sku: str) -> tuple[list[dict[str, object]], list[Told]]:
    """Movements of one SKU at one location, and the same facts as the model hears them."""
    movements: list[dict[str, object]] = []
    told: list[Told] = []
    counted_at: set[int] = set()
    for number in range(rng.randint(1, FACTS_MAX)):
        minute = rng.randint(-30, 30)
        moment = NOON + timedelta(minutes=minute)
        kind = rng.choice([*SIGNS, "count", "opening"])
        if kind == "count" and minute in counted_at:
            continue
        fact_id, quantity = f"{sku}/{number}", rng.randint(1, 9)
        more: dict[str, object] = {"reason": {"code": "broken"}} if kind == "disposal" else {}
        movements.append(
            a_movement(
                type=kind, sku=sku, quantity=quantity, occurred_at=moment, ce_id=fact_id, **more
            )
        )
        if kind == "count":
            counted_at.add(minute)
            told.append(Told(id=fact_id, moment=moment, counted=quantity))
        elif kind == "opening":
            told.append(Told(id=fact_id, moment=moment, opened=quantity))
        else:
            told.append(Told(id=fact_id, moment=moment, change=SIGNS[kind] * quantity))
    return movements, told


def disturbed(rng: random.Random, movements: list[dict[str, object]]) -> list[dict[str, object]]:
    """Every fact at least once, some up to three times, in any order."""
    copies = [m for m in movements for _ in range(rng.choice([1, 1, 1, 2, 3]))]
    rng.shuffle(copies)
    return copies


async def tell_in_batches(
    ledger: LedgerBench, rng: random.Random, movements: list[dict[str, object]]
) -> None:
    rest = movements
    while rest:
        size = rng.choice([1, 2, 5, 20, len(rest)])
        await ledger.move(*rest[:size])
        rest = rest[size:]


async def test_any_order_and_duplication_of_a_set_of_events_gives_the_same_levels(
    database: str,
) -> None:
    expected: dict[str, int] = {}
    async with open_bench(database) as ledger:
        await ledger.know(locations=["L1"])
        for seed in range(SEEDS):
            rng = random.Random(seed)
            skus = [f"{seed}-{n}" for n in range(SKUS_PER_SEED)]
            await ledger.know(skus=skus)
            everything: list[dict[str, object]] = []
            for sku in skus:
                movements, told = history(rng, sku)
                everything += movements
                if told:
                    expected[sku] = level_of(told)

            await tell_in_batches(ledger, rng, disturbed(rng, everything))

        found = await ledger.ask(
            "select sku, sellable from ledger.levels join ledger.skus using (sku_id)"
        )
        unbalanced = await ledger.unbalanced()
        parked = await ledger.parked()

    assert parked == {}
    assert unbalanced == []
    assert {str(row["sku"]): row["sellable"] for row in found} == expected


@pytest.mark.parametrize("seed", range(8))
async def test_a_late_movement_never_changes_a_level_that_was_counted_after_it(
    database: str, seed: int
) -> None:
    rng = random.Random(seed)
    async with open_bench(database) as ledger:
        await ledger.know(skus=["S1"], locations=["L1"])
        await ledger.move(
            a_movement(type="count", quantity=50, occurred_at=NOON + timedelta(minutes=10))
        )

        for number in range(12):
            await ledger.move(
                a_movement(
                    type=rng.choice(["sale", "receipt", "count", "opening", "pick"]),
                    quantity=rng.randint(1, 9),
                    occurred_at=NOON + timedelta(minutes=rng.randint(-60, 9), seconds=number),
                    ce_id=f"late-{number}",
                )
            )
            assert await ledger.sellable() == 50

        assert await ledger.unbalanced() == []
