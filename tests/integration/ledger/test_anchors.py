"""Openings and counts on the real database: what comes late never changes what was counted."""

from itertools import permutations

import pytest

from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at


def count(quantity: int, minutes: float, **more: object) -> dict[str, object]:
    return a_movement(type="count", quantity=quantity, occurred_at=at(minutes), **more)


def sale(quantity: int, minutes: float, **more: object) -> dict[str, object]:
    return a_movement(type="sale", quantity=quantity, occurred_at=at(minutes), **more)


async def test_two_earlier_sales_that_arrive_after_a_count_leave_it_as_counted(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-60)))
    await ledger.move(count(8, 0))

    await ledger.move(sale(1, -10), sale(1, -5))

    assert await ledger.sellable() == 8
    assert await ledger.unbalanced() == []


async def test_a_count_sees_the_movements_of_its_own_batch(ledger: LedgerBench) -> None:
    await ledger.move(
        a_movement(type="receipt", quantity=10, occurred_at=at(-60)), sale(1, -1), count(9, 0)
    )

    variance = await ledger.ask("select quantity from ledger.movements where type = 'count'")
    assert [row["quantity"] for row in variance] == [0]
    assert await ledger.sellable() == 9


async def test_a_sale_after_the_count_changes_the_level(ledger: LedgerBench) -> None:
    await ledger.move(count(8, 0))
    await ledger.move(sale(1, 1))

    assert await ledger.sellable() == 7


async def test_what_happened_before_an_opening_is_recorded_without_effect(
    ledger: LedgerBench,
) -> None:
    await ledger.move(sale(3, -10))
    await ledger.move(a_movement(type="opening", quantity=20, occurred_at=at(0)))
    await ledger.move(sale(4, -20))

    assert await ledger.sellable() == 20
    sales = await ledger.ask("select 1 from ledger.movements where type = 'sale'")
    assert len(sales) == 2
    assert await ledger.unbalanced() == []


async def test_openings_of_two_lots_at_one_moment_add_up(ledger: LedgerBench) -> None:
    lots = [
        a_movement(type="opening", quantity=q, lot={"code": code}, occurred_at=at(0))
        for code, q in (("A", 4), ("B", 6))
    ]
    await ledger.move(*lots)

    assert await ledger.sellable() == 10
    assert await ledger.unbalanced() == []


async def test_the_same_count_twice_changes_nothing_and_another_figure_is_a_conflict(
    ledger: LedgerBench,
) -> None:
    await ledger.move(count(8, 0, ce_id="c"))
    await ledger.move(count(8, 0, ce_id="c"))
    await ledger.move(count(9, 0, ce_id="c"))

    assert await ledger.sellable() == 8
    assert await ledger.parked() == {"conflicting_duplicate": 1}


async def test_a_late_pick_restates_both_of_its_accounts(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-60)))
    await ledger.move(count(7, 0), count(3, 0, to={"bucket": "picked"}))

    await ledger.move(a_movement(type="pick", quantity=3, occurred_at=at(-5)))

    level = await ledger.level()
    assert (level["sellable"], level["picked"]) == (7, 3)
    assert await ledger.unbalanced() == []


FACTS = [
    a_movement(type="receipt", quantity=10, occurred_at=at(-60), ce_id="receipt"),
    sale(2, -30, ce_id="before"),
    count(7, -20, ce_id="first count"),
    sale(1, -10, ce_id="between"),
    count(5, 0, ce_id="second count"),
]


@pytest.mark.parametrize("one_batch", [True, False])
async def test_every_order_of_the_same_facts_gives_the_same_level(
    ledger: LedgerBench, one_batch: bool
) -> None:
    skus = [f"P{n}" for n in range(120)]
    await ledger.know(skus=skus)

    for sku, order in zip(skus, permutations(FACTS), strict=True):
        facts = [fact | {"sku": sku, "ce_id": f"{sku} {fact['ce_id']}"} for fact in order]
        if one_batch:
            await ledger.move(*facts)
        else:
            for fact in facts:
                await ledger.move(fact)

    levels = await ledger.ask(
        "select sku, sellable from ledger.levels join ledger.skus using (sku_id)"
        " where sku like 'P%' and sellable <> 5"
    )
    assert levels == []
    assert await ledger.unbalanced() == []
