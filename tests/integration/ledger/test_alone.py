"""Small batches in one statement: what they leave to be told, and what takes a transaction."""

from services.ledger.repository.publishing import LedgerStates
from shared.kafka.producing import Outgoing
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at


async def open_rows(ledger: LedgerBench) -> tuple[list[int], dict[bytes, Outgoing]]:
    """The rows that wait to be told, and what a relay would read of them."""
    states = LedgerStates(ledger.pool)
    dirty = await states.unpublished(range(8), 512)
    return list(dirty.rows), {m.key: m for m in await states.latest(dirty.keys)}


async def forget_all(ledger: LedgerBench) -> None:
    rows, _ = await open_rows(ledger)
    await LedgerStates(ledger.pool).forget(rows)
    await ledger.remembered.take()


async def test_what_sales_leave_to_be_told_is_what_would_have_been_read(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10), a_movement(location="L2"))
    await forget_all(ledger)

    await ledger.move(a_movement(quantity=2), a_movement(quantity=1))
    await ledger.move(a_movement(quantity=1), a_movement(location="L2", quantity=4))

    flight = await ledger.remembered.take()
    rows, read = await open_rows(ledger)
    assert sorted(flight.rows) == sorted(rows)
    assert {message.key: message for message in flight.messages} == read
    assert await ledger.sellable() == 6


async def test_a_level_with_other_buckets_is_read_whole(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.move(a_movement(type="pick", quantity=3))
    await forget_all(ledger)

    await ledger.move(a_movement(quantity=2))

    assert (await ledger.remembered.take()).messages == []
    _, read = await open_rows(ledger)
    assert [b'"picked":3' in message.value for message in read.values()] == [True]


async def test_a_duplicate_is_counted_and_leaves_nothing_to_be_told(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.move(a_movement(quantity=2, ce_id="sale"))
    await forget_all(ledger)

    await ledger.move(a_movement(quantity=2, ce_id="sale"))

    assert (await ledger.remembered.take()).rows == []
    assert await ledger.sellable() == 8


async def test_a_late_sale_takes_a_transaction_and_the_count_still_stands(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.move(a_movement(type="count", quantity=8, occurred_at=at(30).isoformat()))
    await forget_all(ledger)

    await ledger.move(a_movement(quantity=2, occurred_at=at(10).isoformat()))

    assert await ledger.sellable() == 8
    assert await ledger.unbalanced() == []
    assert (await ledger.remembered.take()).rows == []


async def test_other_content_under_a_known_id_is_parked_and_the_rest_posted(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.move(a_movement(quantity=2, ce_id="sale"))

    await ledger.move(a_movement(quantity=3, ce_id="sale"), a_movement(quantity=1))

    assert await ledger.parked() == {"conflicting_duplicate": 1}
    assert await ledger.sellable() == 7
