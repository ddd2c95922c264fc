"""Movements in, levels changed: identity, fence, duplicates, unknown names."""

import asyncio

import pytest

from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.batches import Fenced
from shared.testing.messages import a_batch, a_message, a_movement
from tests.integration.ledger.bench import LedgerBench, at, open_bench


async def test_a_receipt_and_a_sale_change_the_level(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10), a_movement(type="sale", quantity=3))

    assert await ledger.sellable() == 7
    assert await ledger.unbalanced() == []


async def test_a_book_goes_negative_rather_than_refuse_a_fact(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="sale", quantity=3))

    assert await ledger.sellable() == -3


async def test_the_same_message_twice_changes_nothing_within_and_across_batches(
    ledger: LedgerBench,
) -> None:
    sale = a_movement(quantity=2, ce_id="one")
    await ledger.move(sale, sale)
    await ledger.move(sale)

    assert await ledger.sellable() == -2
    assert await ledger.parked() == {}


async def test_the_same_message_id_of_another_source_is_another_fact(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(ce_id="one"), source="till:1")
    await ledger.move(a_movement(ce_id="one"), source="till:2")

    assert await ledger.sellable() == -2


async def test_a_document_told_under_another_message_id_is_the_same_fact(
    ledger: LedgerBench,
) -> None:
    ticket = {"kind": "ticket", "number": "4711", "line": "1"}
    await ledger.move(a_movement(document=ticket, ce_id="webhook"))
    await ledger.move(a_movement(document=ticket, ce_id="poll"))

    assert await ledger.sellable() == -1


@pytest.mark.parametrize("same_batch", [True, False])
async def test_other_content_under_a_known_id_is_parked(
    ledger: LedgerBench, same_batch: bool
) -> None:
    first, second = a_movement(ce_id="one"), a_movement(ce_id="one", quantity=5)
    if same_batch:
        await ledger.move(first, second)
    else:
        await ledger.move(first)
        await ledger.move(second)

    assert await ledger.sellable() == -1
    assert await ledger.parked() == {"conflicting_duplicate": 1}


async def test_a_transfer_is_in_transit_at_its_destination_between_its_phases(
    ledger: LedgerBench,
) -> None:
    await ledger.move(
        a_movement(type="receipt", quantity=10),
        a_movement(type="transfer_dispatch", quantity=4, to_location="L2"),
    )

    assert await ledger.level("S1", "L1") == {"sellable": 6, "reserved": 0, "allocated": 0}
    assert (await ledger.level("S1", "L2"))["in_transit"] == 4

    await ledger.move(a_movement(type="transfer_receipt", quantity=3, location="L2"))

    assert (await ledger.level("S1", "L2"))["in_transit"] == 1
    assert await ledger.sellable("S1", "L2") == 3
    assert await ledger.unbalanced() == []


async def test_an_unknown_sku_or_location_is_parked_and_blocks_nothing(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(sku="NEW"), a_movement(location="NOWHERE"), a_movement(quantity=1))

    assert await ledger.sellable() == -1
    assert await ledger.parked() == {"unknown_sku": 1, "unknown_location": 1}


async def test_a_waiting_message_is_posted_when_its_sku_becomes_known(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(sku="NEW", quantity=2))
    await ledger.know(skus=["NEW"])

    rows = await ledger.ask("select parked_id from ledger.parked where waits_for = 'sku:NEW'")
    taken = await ledger.handler.replay([int(str(rows[0]["parked_id"]))])

    assert taken == 1
    assert await ledger.sellable("NEW") == -2
    assert await ledger.parked() == {}


async def test_a_replay_twice_posts_once(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(sku="NEW"))
    await ledger.know(skus=["NEW"])

    results = await asyncio.gather(ledger.handler.replay([1]), ledger.handler.replay([1]))

    assert sorted(results) == [0, 1]
    assert await ledger.sellable("NEW") == -1


async def test_a_movement_from_the_far_future_is_parked(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(occurred_at=at(60 + 6)), a_movement(occurred_at=at(60 + 4)))

    assert await ledger.sellable() == -1
    assert await ledger.parked() == {"in_the_future": 1}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        pytest.param(b"{", "malformed", id="not_json"),
        pytest.param(b"", "malformed", id="empty"),
        pytest.param(b'{"type":"teleport"}', "unknown_type", id="a_type_of_tomorrow"),
        pytest.param(b'{"type":"sale"}', "invalid", id="fields_missing"),
    ],
)
async def test_what_cannot_be_read_is_parked_with_its_reason(
    ledger: LedgerBench, value: bytes, reason: str
) -> None:
    await ledger.tell(STOCK_MOVEMENTS.name, [a_message(value)])

    assert await ledger.parked() == {reason: 1}


async def test_a_message_without_cloudevents_headers_is_parked(ledger: LedgerBench) -> None:
    bare = a_message(a_movement(), source="")
    await ledger.tell(STOCK_MOVEMENTS.name, [bare])

    assert await ledger.parked() == {"missing_attributes": 1}


async def test_a_fence_that_matches_nothing_stops_everything_behind_it(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=5))
    old_epoch = ledger.claims[STOCK_MOVEMENTS.name].epoch
    await ledger.positions.claim(STOCK_MOVEMENTS.name, 0, first_offset=0)
    batch = a_batch([a_message(a_movement(quantity=1), offset=1)], epoch=old_epoch, expected=1)

    decoded = await ledger.handler.decode(batch)
    with pytest.raises(Fenced):
        await ledger.handler.apply(batch, decoded)

    assert await ledger.sellable() == 5
    assert len(await ledger.ask("select 1 from ledger.movements")) == 1


async def test_a_batch_that_was_applied_already_is_fenced_by_its_expected_offset(
    ledger: LedgerBench,
) -> None:
    epoch = (await ledger.positions.claim(STOCK_MOVEMENTS.name, 0, first_offset=0)).epoch
    batch = a_batch([a_message(a_movement())], epoch=epoch, expected=0)
    await ledger.handler.apply(batch, await ledger.handler.decode(batch))

    with pytest.raises(Fenced):
        await ledger.handler.apply(batch, await ledger.handler.decode(batch))


async def test_a_fenced_batch_leaves_no_level_behind_and_its_memory_is_dropped(
    ledger: LedgerBench,
) -> None:
    await ledger.positions.claim(STOCK_MOVEMENTS.name, 0, first_offset=0)
    stale = a_batch([a_message(a_movement())], epoch=0, expected=0)

    decoded = await ledger.handler.decode(stale)
    with pytest.raises(Fenced):
        await ledger.handler.apply(stale, decoded)

    assert await ledger.ask("select 1 from ledger.levels") == []
    ledger.claims[STOCK_MOVEMENTS.name] = await ledger.positions.claim(
        STOCK_MOVEMENTS.name, 0, first_offset=0
    )
    await ledger.move(a_movement())
    assert await ledger.sellable() == -1


async def test_two_writers_of_the_same_levels_in_opposite_order_do_not_deadlock(
    ledger: LedgerBench, database: str
) -> None:
    skus = ["S1", "S2", "S3"]
    async with open_bench(database, owner="other") as other:
        other.claims[STOCK_MOVEMENTS.name] = await other.positions.claim(
            "stock-movements-v1-other", 0, first_offset=0
        )
        await ledger.move(*[a_movement(sku=sku) for sku in skus])

        async def write(bench: LedgerBench, topic: str, order: list[str], turn: int) -> None:
            messages = [
                a_message(a_movement(sku=sku), offset=100 + turn * 10 + i, topic=topic,
                          source=f"{topic}:{turn}")
                for i, sku in enumerate(order)
            ]  # fmt: skip
            read = await bench.handler._read(
                [a_message(m.value or b"", offset=m.offset, source=f"{topic}:{turn}")
                 for m in messages]
            )  # fmt: skip
            from services.ledger.repository.posting import NO_FENCE

            async with bench.pool.acquire() as connection:
                await bench.handler._transact(connection, NO_FENCE, read)

        before = (await ledger.ask(DEADLOCKS))[0]["n"]
        for turn in range(20):
            await asyncio.gather(
                write(ledger, "a", skus, turn), write(other, "b", skus[::-1], turn)
            )

    assert (await ledger.ask(DEADLOCKS))[0]["n"] == before
    assert await ledger.sellable("S2") == -41


DEADLOCKS = "select deadlocks as n from pg_stat_database where datname = current_database()"


async def test_versions_rise_above_what_was_there_before_a_restore(ledger: LedgerBench) -> None:
    await ledger.move(a_movement())
    before = (await ledger.ask("select version from ledger.levels"))[0]["version"]
    await ledger.ask("update ledger.levels set version = 1 returning 1")

    await ledger.move(a_movement())

    after = (await ledger.ask("select version from ledger.levels"))[0]["version"]
    assert int(str(after)) > int(str(before))
