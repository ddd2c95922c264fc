"""Receipts compared with the supply lines that they name, corrections and controls included."""

import json
from datetime import timedelta
from typing import Any

import pytest

from services.ledger.repository.supply import SUPPLY, counter_of
from shared.contracts.topics import SUPPLY_ORDERS
from shared.kafka.batches import Fenced
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import open_counter
from tests.integration.ledger.test_costs import a_paper

Told = dict[str, object]
OF_LINE_1: Told = {"supply_line": {"supply_id": "P1", "line_id": "1"}}


def an_order(version: int, *lines: Told, **overrides: object) -> Told:
    """A confirmed purchase order for L1, expected within the day."""
    order: Told = {
        "supply_id": "P1", "type": "purchase_order", "state": "confirmed", "version": version,
        "to_location": "L1", "supplier_id": "sup-1", "expected_at": at(600).isoformat(),
        "lines": list(lines) or [ten()],
    }  # fmt: skip
    return order | overrides


def ten(**overrides: object) -> Told:
    return {"line_id": "1", "sku": "S1", "ordered": 10} | overrides


def receipt(quantity: int, minute: float, **more: object) -> Told:
    return a_movement(
        type="receipt", quantity=quantity, occurred_at=at(minute).isoformat(), **OF_LINE_1 | more
    )


async def lines(ledger: LedgerBench, **query: object) -> list[dict[str, Any]]:
    async with open_counter(ledger) as counter, counter.http() as client:
        params = {key: str(value) for key, value in query.items()}
        answer = await client.get("/v1/goods-in", params=params)
    found: list[dict[str, Any]] = answer.json()["lines"]
    return found


async def stand(ledger: LedgerBench) -> tuple[str, int, int]:
    [line] = await lines(ledger)
    return line["state"], line["received"], line["missing"]


async def test_a_line_follows_its_receipts_from_expected_to_complete(ledger: LedgerBench) -> None:
    await ledger.supply(an_order(1))
    assert await stand(ledger) == ("expected", 0, 10)

    await ledger.move(receipt(4, 0))
    assert await stand(ledger) == ("partial", 4, 6)

    await ledger.move(receipt(4, 1), receipt(2, 2))
    assert await stand(ledger) == ("complete", 10, 0)
    assert await lines(ledger, deviations=True) == []


async def test_a_corrected_receipt_counts_as_it_holds_now(ledger: LedgerBench) -> None:
    await ledger.supply(an_order(1))
    await ledger.move(receipt(12, 0, **a_paper(1)))
    assert await stand(ledger) == ("over", 12, -2)

    await ledger.move(receipt(9, 0, **a_paper(1, revision=1)))
    assert await stand(ledger) == ("partial", 9, 1)

    cancelled = receipt(9, 0, **a_paper(2)) | {
        "reverses": {"occurred_at": at(0).isoformat(), **a_paper(1)}
    }
    await ledger.move(cancelled)
    assert await stand(ledger) == ("expected", 0, 10)


async def test_an_order_that_is_over_is_short_of_what_never_came(ledger: LedgerBench) -> None:
    await ledger.supply(an_order(1))
    await ledger.move(receipt(6, 0))
    await ledger.supply(an_order(2, ten(rejected=1), state="closed"))

    assert await stand(ledger) == ("short", 6, 3)
    [line] = await lines(ledger, deviations=True)
    assert (line["supplier_id"], line["order_state"], line["rejected"]) == ("sup-1", "closed", 1)


async def test_control_after_receipt_shows_what_was_damaged_and_sent_back(
    ledger: LedgerBench,
) -> None:
    await ledger.supply(an_order(1))
    await ledger.move(
        receipt(10, 0, to={"bucket": "quality_hold"}),
        a_movement(
            type="inspection", quantity=3, to={"bucket": "damaged"}, **OF_LINE_1,
            occurred_at=at(1).isoformat(),
        ),
        a_movement(
            type="supplier_return", quantity=2, **OF_LINE_1, occurred_at=at(2).isoformat(),
            **{"from": {"bucket": "damaged"}},
        ),
    )  # fmt: skip

    [line] = await lines(ledger)
    assert (line["state"], line["received"]) == ("complete", 10)
    assert (line["damaged"], line["sent_back"]) == (3, 2)


async def test_goods_under_a_line_that_nobody_told_of_are_shown_until_it_is_told(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(4, 0))
    assert await stand(ledger) == ("unannounced", 4, -4)

    await ledger.supply(an_order(1))
    assert await stand(ledger) == ("partial", 4, 6)


async def test_an_order_that_tells_of_other_receipts_than_the_book_is_looked_at(
    ledger: LedgerBench,
) -> None:
    await ledger.supply(an_order(1, ten(received=5)))
    await ledger.move(receipt(4, 0))

    [line] = await lines(ledger, deviations=True)
    assert (line["state"], line["told_received"], line["received"]) == ("partial", 5, 4)


async def test_a_transfer_order_is_due_as_far_as_it_was_dispatched(ledger: LedgerBench) -> None:
    transfer = {"type": "transfer_order", "from_location": "L2", "supplier_id": None}
    await ledger.supply(an_order(1, ten(dispatched=7), **transfer))
    await ledger.move(receipt(7, 0) | {"type": "transfer_receipt"})

    assert await stand(ledger) == ("complete", 7, 0)


async def test_lines_are_asked_for_by_place_and_order_and_page_by_page(
    ledger: LedgerBench,
) -> None:
    await ledger.supply(
        an_order(1, ten(), ten(line_id="2", sku="S2")),
        an_order(1, supply_id="P2", to_location="L2"), an_order(1, supply_id="P3", state="draft"),
    )  # fmt: skip

    def names(found: list[dict[str, Any]]) -> list[tuple[str, str]]:
        return [(one["supply_id"], one["line_id"]) for one in found]

    assert names(await lines(ledger)) == [("P1", "1"), ("P1", "2"), ("P2", "1")]
    assert names(await lines(ledger, location="L2")) == [("P2", "1")]
    assert names(await lines(ledger, supply_id="P1")) == [("P1", "1"), ("P1", "2")]
    assert names(await lines(ledger, after="P1", after_line="1")) == [("P1", "2"), ("P2", "1")]
    assert names(await lines(ledger, limit=1)) == [("P1", "1")]


async def test_the_gauge_counts_what_somebody_must_look_at(ledger: LedgerBench) -> None:
    count = counter_of(ledger.clock.now, timedelta(days=30))
    await ledger.supply(an_order(1), an_order(1, supply_id="P2", expected_at=at(-60).isoformat()))
    await ledger.move(receipt(12, 0))

    async with ledger.pool.acquire() as connection:
        assert await count(connection) == 2


async def test_of_one_order_the_highest_revision_counts_and_a_lost_fence_changes_nothing(
    ledger: LedgerBench,
) -> None:
    await ledger.supply(an_order(2, ten(ordered=8)), an_order(1))
    assert await stand(ledger) == ("expected", 0, 8)
    await ledger.supply(an_order(1))
    assert await stand(ledger) == ("expected", 0, 8)

    ledger.offsets[SUPPLY_ORDERS.name] = 0
    with pytest.raises(Fenced):
        await ledger.supply(an_order(3, ten(ordered=1)))
    assert await stand(ledger) == ("expected", 0, 8)


async def test_a_supply_order_that_cannot_be_read_is_parked_and_comes_back(
    ledger: LedgerBench,
) -> None:
    await ledger.supply({"supply_id": "P1"}, an_order(1))
    assert await ledger.parked() == {"invalid": 1}
    right = json.dumps(an_order(4, ten(ordered=3))).encode()
    await ledger.ask("update ledger.parked set value = $1", right)

    ids = [int(str(row["parked_id"])) for row in await ledger.ask("select * from ledger.parked")]
    assert await ledger.handler.replay(ids) == 1

    assert await stand(ledger) == ("expected", 0, 3)
    assert await ledger.parked() == {}


async def test_orders_that_have_long_been_over_are_forgotten(ledger: LedgerBench) -> None:
    await ledger.supply(an_order(1, state="closed"), an_order(1, supply_id="P2"))
    async with ledger.pool.acquire() as connection:
        long_ago = at(0).replace(year=2000)
        assert await SUPPLY.prune(connection, long_ago, 10) == 0
        assert await SUPPLY.prune(connection, at(0).replace(year=2099), 10) == 1
    assert [line["supply_id"] for line in await lines(ledger)] == ["P2"]
