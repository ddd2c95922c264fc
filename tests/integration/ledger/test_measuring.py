"""Oversold units: what is claimed beyond what is sellable, SKU by SKU."""

from services.ledger.repository.measuring import oversold_units
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench


async def oversold(ledger: LedgerBench) -> int:
    async with ledger.pool.acquire() as connection:
        return await oversold_units(connection)


async def test_a_till_that_sells_what_was_set_aside_oversells(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=3))
    await ledger.command({"order_id": "O1", "wanted": 3})
    assert await oversold(ledger) == 0

    await ledger.move(a_movement(quantity=5))

    assert await oversold(ledger) == 3


async def test_a_negative_book_alone_owes_nobody_and_one_sku_does_not_make_up_for_another(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(quantity=5), a_movement(type="receipt", sku="S2", quantity=9))
    assert await oversold(ledger) == 0

    await ledger.command(
        {"order_id": "O1", "wanted": 2, "sku": "S3", "candidates": []},
        {"order_id": "O2", "wanted": 4, "sku": "S2"},
    )

    assert await oversold(ledger) == 2
