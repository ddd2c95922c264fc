"""Facts told otherwise: the difference is posted, a cancellation takes everything back."""

import asyncio
from collections.abc import Mapping
from contextlib import nullcontext
from datetime import datetime

import asyncpg
import pytest

from shared.testing.messages import NOON, a_batch, a_movement
from shared.testing.waiting import until
from tests.integration.ledger.bench import LedgerBench, at

NOTE = {"kind": "delivery_note", "number": "7"}


def receipt(quantity: int, revision: int = 0, **more: object) -> dict[str, object]:
    return a_movement(
        type="receipt", quantity=quantity, document=NOTE | {"revision": revision}, **more
    )


def shipped(
    quantity: int, revision: int = 0, order: str = "O1", **more: object
) -> dict[str, object]:
    parcel = {"kind": "parcel", "number": "P1", "revision": revision}
    line = {"order_id": order, "line_id": "1"}
    return a_movement(type="shipment", quantity=quantity, document=parcel, order_line=line, **more)


def void(moment: datetime, document: Mapping[str, object], **more: object) -> dict[str, object]:
    """Cancels the fact of this paper at this moment."""
    named = {"occurred_at": moment.isoformat(), "document": dict(document)}
    paper = {"kind": "void", "number": str(document["number"])}
    return a_movement(
        type="adjustment", reverses=named, document=paper, occurred_at=at(30),
        reason={"code": "mistake"}, **({"to": {"bucket": "sellable"}} | more),
    )  # fmt: skip


async def line(ledger: LedgerBench, order: str = "O1") -> tuple[object, ...]:
    [row] = await ledger.ask(
        "select wanted, shipped, short from ledger.order_lines where order_id = $1", order
    )
    return tuple(row.values())


@pytest.mark.parametrize("same_batch", [True, False])
async def test_a_higher_revision_changes_the_level_by_the_difference(
    ledger: LedgerBench, same_batch: bool
) -> None:
    if same_batch:
        await ledger.move(receipt(10), receipt(8, 1))
    else:
        await ledger.move(receipt(10))
        await ledger.move(receipt(8, 1))

    assert await ledger.sellable() == 8
    assert await ledger.parked() == {}
    rows = await ledger.ask("select quantity, to_level from ledger.movements order by recorded_at")
    assert same_batch or [row["quantity"] for row in rows] == [10, 2]
    assert await ledger.unbalanced() == []


async def test_revisions_in_any_order_and_twice_leave_what_the_highest_says(
    ledger: LedgerBench,
) -> None:
    for movement in (receipt(5, 3), receipt(10), receipt(8, 1), receipt(5, 3), receipt(9, 2)):
        await ledger.move(movement)

    assert await ledger.sellable() == 5
    assert await ledger.parked() == {}


async def test_the_same_content_under_a_higher_revision_keeps_lower_ones_out(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(10))
    await ledger.move(receipt(10, 2))
    await ledger.move(receipt(3, 1))

    assert await ledger.sellable() == 10


async def test_other_content_under_the_revision_that_holds_is_parked(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10))
    await ledger.move(receipt(8, 1))
    await ledger.move(receipt(7, 1))

    assert await ledger.sellable() == 8
    assert await ledger.parked() == {"conflicting_duplicate": 1}


async def test_a_correction_to_another_sku_and_place_moves_both(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10))

    await ledger.move(receipt(10, 1, sku="S2", location="L2"))

    assert (await ledger.sellable(), await ledger.sellable("S2", "L2")) == (0, 10)
    assert await ledger.unbalanced() == []


async def test_a_correction_that_waits_for_its_sku_is_posted_when_it_is_known(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(10))
    await ledger.move(receipt(10, 1, sku="NEW"))
    assert await ledger.parked() == {"unknown_sku": 1}

    await ledger.know(skus=["NEW"])
    rows = await ledger.ask("select parked_id from ledger.parked where status = 'parked'")
    await ledger.handler.replay([int(str(row["parked_id"])) for row in rows])

    assert (await ledger.sellable(), await ledger.sellable("NEW")) == (0, 10)
    assert await ledger.parked() == {}


async def test_a_correction_with_another_moment_names_the_one_it_corrects(
    ledger: LedgerBench,
) -> None:
    named = {"occurred_at": NOON.isoformat()}
    await ledger.move(receipt(6, 1, occurred_at=at(-5), corrects=named))
    await ledger.move(receipt(10))  # the first revision, which comes after it
    await ledger.move(receipt(4, 2, occurred_at=at(-5)))  # repeats the moment that holds now

    assert await ledger.sellable() == 4
    assert await ledger.parked() == {}


@pytest.mark.parametrize("first", ["fact", "void"])
async def test_a_cancelled_fact_moves_nothing_whichever_comes_first(
    ledger: LedgerBench, first: str
) -> None:
    both = [receipt(10), void(NOON, NOTE)]
    for movement in both if first == "fact" else reversed(both):
        await ledger.move(movement)
    await ledger.move(receipt(12, 5))
    await ledger.move(void(NOON, NOTE))

    assert await ledger.sellable() == 0
    assert await ledger.parked() == {}
    assert await ledger.unbalanced() == []


async def test_a_message_without_a_paper_is_cancelled_by_its_id(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=4, ce_id="m-1"))

    named = {"occurred_at": NOON.isoformat(), "id": "m-1"}
    await ledger.move(a_movement(reverses=named, ce_id="m-2"))

    assert await ledger.sellable() == 0


async def test_another_source_may_cancel_what_it_names(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10), source="wms")

    named = {"occurred_at": NOON.isoformat(), "source": "wms", "document": NOTE}
    await ledger.move(a_movement(type="receipt", reverses=named), source="erp")

    assert await ledger.sellable() == 0


async def test_a_corrected_shipment_gives_its_line_the_units_again(ledger: LedgerBench) -> None:
    await ledger.move(a_movement(type="receipt", quantity=10))
    await ledger.command({"order_id": "O1", "wanted": 3})
    await ledger.move(shipped(3))

    await ledger.move(shipped(2, 1))

    assert await line(ledger) == (3, 2, 0)
    found = await ledger.level()
    assert (found["sellable"], found["allocated"]) == (8, 1)


async def test_a_shipment_told_for_the_wrong_order_serves_the_right_one(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=2))
    await ledger.command({"order_id": "O1", "wanted": 2}, {"order_id": "O2", "wanted": 2})
    await ledger.move(shipped(2))

    await ledger.move(shipped(2, 1, order="O2"))

    assert await line(ledger, "O1") == (2, 0, 2)
    assert await line(ledger, "O2") == (2, 2, 0)


async def test_a_cancelled_receipt_leaves_who_counted_on_it_short(ledger: LedgerBench) -> None:
    await ledger.move(receipt(3))
    await ledger.command({"order_id": "O1", "wanted": 3})

    await ledger.move(void(NOON, NOTE))

    found = await ledger.level()
    assert (found["sellable"], found["allocated"]) == (0, 3)


async def test_units_that_a_correction_brings_serve_a_short_line(ledger: LedgerBench) -> None:
    await ledger.move(receipt(1))
    await ledger.command({"order_id": "O1", "wanted": 3})

    await ledger.move(receipt(4, 1))

    assert await line(ledger) == (3, 0, 0)


async def test_a_late_correction_restates_the_count_after_it(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10))
    await ledger.move(a_movement(type="count", quantity=9, occurred_at=at(10)))

    await ledger.move(receipt(8, 1))

    assert await ledger.sellable() == 9
    assert await ledger.unbalanced() == []


async def test_a_corrected_count_sets_the_level_anew(ledger: LedgerBench) -> None:
    sheet = {"kind": "sheet", "number": "1"}
    await ledger.move(receipt(10))
    await ledger.move(a_movement(type="count", quantity=9, occurred_at=at(10), document=sheet))
    await ledger.move(a_movement(occurred_at=at(20)))

    await ledger.move(
        a_movement(type="count", quantity=7, occurred_at=at(10), document=sheet | {"revision": 1})
    )

    assert await ledger.sellable() == 6
    assert await ledger.unbalanced() == []


async def test_a_cancelled_count_leaves_the_book_as_if_nobody_had_counted(
    ledger: LedgerBench,
) -> None:
    sheet = {"kind": "sheet", "number": "1"}
    await ledger.move(receipt(10))
    await ledger.move(a_movement(type="count", quantity=3, occurred_at=at(10), document=sheet))
    await ledger.move(a_movement(occurred_at=at(5), quantity=2))

    await ledger.move(void(at(10), sheet))

    assert await ledger.sellable() == 8
    assert await ledger.unbalanced() == []


async def test_a_count_that_was_corrected_and_then_cancelled_leaves_nothing(
    ledger: LedgerBench,
) -> None:
    sheet = {"kind": "sheet", "number": "1"}
    for revision, quantity in enumerate((3, 4, 5)):
        await ledger.move(
            a_movement(type="count", quantity=quantity, document=sheet | {"revision": revision})
        )

    await ledger.move(void(NOON, sheet))

    assert await ledger.sellable() == 0
    assert await ledger.unbalanced() == []


@pytest.mark.parametrize("runs_again", [True, False])
async def test_a_correction_beside_its_first_revision_in_flight_is_not_added_to_it(
    ledger: LedgerBench,
    database: str,
    runs_again: bool,
) -> None:
    """Another worker posts the fact while the correction looks for it, and finds nothing."""
    named = {"occurred_at": at(-5), "corrects": {"occurred_at": NOON.isoformat()}}
    correction = receipt(8, 1, **(named if runs_again else {}))
    await ledger.move(a_movement(type="receipt", quantity=1))
    read = await ledger.handler.decode(a_batch(ledger.messages([receipt(10)]), epoch=0, expected=0))
    [fact] = read.facts.postings
    other = await asyncpg.connect(database, timeout=10)
    try:
        transaction = other.transaction()
        await transaction.start()
        await other.execute(POSTED_BY_ANOTHER, fact.event_id, NOON)
        correcting = asyncio.create_task(ledger.move(correction))
        await until(lambda: waits_for_a_lock(ledger), seconds=10)
        await transaction.commit()
        with pytest.raises(asyncpg.SerializationError) if runs_again else nullcontext():
            await correcting
    finally:
        await other.close()
    await ledger.move(correction)

    assert await ledger.sellable() == 9
    assert await ledger.unbalanced() == []


POSTED_BY_ANOTHER = """
with posted as (
    insert into ledger.movements (event_id, type, quantity, from_account, to_level, to_account,
                                  occurred_at, source_id)
    select $1, 'receipt', 10, 20, level_id, 1, $2, 1 from ledger.levels returning to_level)
update ledger.levels set sellable = sellable + 10 from posted where level_id = to_level
"""


async def waits_for_a_lock(ledger: LedgerBench) -> bool:
    return bool(
        await ledger.ask(
            "select 1 from pg_stat_activity"
            " where wait_event_type = 'Lock' and datname = current_database()"
        )
    )
