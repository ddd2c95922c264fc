"""A system's own figure: compared with the book as of its moment, or applied as a count."""

from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.reporters import declare, states


def a_snapshot(quantity: int, **more: object) -> dict[str, object]:
    return a_movement(type="count", quantity=quantity, reason={"code": "snapshot"}, **more)


async def test_a_snapshot_is_compared_with_the_book_as_of_its_moment(ledger: LedgerBench) -> None:
    await declare(ledger, "wms:1", "posts")
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-10)), source="wms:1")
    await ledger.move(a_snapshot(8, occurred_at=at(0)), source="wms:1")
    await ledger.move(a_movement(quantity=4, occurred_at=at(5)), source="wms:1")

    assert await states(ledger) == [("wms:1", "differing", "book", -2)]
    assert await ledger.sellable() == 6

    await ledger.move(a_movement(quantity=2, occurred_at=at(-5)), source="wms:1")
    assert await states(ledger) == [("wms:1", "matched", "book", 0)]


async def test_a_source_may_have_its_snapshots_applied_as_counts(ledger: LedgerBench) -> None:
    await declare(ledger, "wms:1", "observes", snapshots="count")
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-10)))

    await ledger.move(a_snapshot(8), source="wms:1")

    assert await ledger.sellable() == 8
    assert await states(ledger) == []
    assert await ledger.unbalanced() == []


async def test_a_snapshot_of_an_undeclared_source_changes_nothing(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-10)))

    await ledger.move(a_snapshot(8), source="who:knows")
    await ledger.move(a_movement(type="count", quantity=9, occurred_at=at(1)), source="who:knows")

    assert await ledger.sellable() == 9
    assert await states(ledger) == [("who:knows", "differing", "book", -2)]


async def test_a_count_that_a_source_observes_is_compared_too(ledger: LedgerBench) -> None:
    await declare(ledger, "erp:1")
    await ledger.move(a_movement(type="receipt", quantity=10, occurred_at=at(-10)))
    await ledger.move(a_movement(type="count", quantity=7), source="wms:1")

    await ledger.move(a_movement(type="count", quantity=7), source="erp:1")
    await ledger.move(a_movement(type="count", location="L2", quantity=3), source="erp:1")

    assert await ledger.sellable() == 7
    assert await states(ledger) == [
        ("erp:1", "differing", "book", 3), ("erp:1", "matched", "book", 0),
    ]  # fmt: skip
