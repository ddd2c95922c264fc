"""Weighted average cost on a real database: late, corrected, taken back, between two entities."""

import asyncio
from collections.abc import Mapping
from decimal import Decimal

import pytest

from services.ledger.handlers.costing import Costing
from services.ledger.repository.costs import Cost, costs_at
from shared.contracts.topics import REFERENCE_DATA
from shared.testing.messages import a_message, a_movement
from tests.integration.ledger.bench import LedgerBench, at


def receipt(quantity: int, cost: str | None, minute: float, **more: object) -> dict[str, object]:
    told: dict[str, object] = {"unit_cost": cost, "currency": "EUR"} if cost else {}
    return a_movement(
        type="receipt", quantity=quantity, occurred_at=at(minute).isoformat(), **told, **more
    )


def sale(quantity: int, minute: float, **more: object) -> dict[str, object]:
    return a_movement(quantity=quantity, occurred_at=at(minute).isoformat(), **more)


def a_paper(line: int, revision: int = 0) -> dict[str, object]:
    return {"document": {"kind": "note", "number": "D1", "line": str(line), "revision": revision}}


async def work(ledger: LedgerBench) -> int:
    return await Costing(ledger.pool, asyncio.Event()).turn()


async def cost(ledger: LedgerBench, minute: float = 59) -> Cost:
    async with ledger.pool.acquire() as connection:
        [found] = await costs_at(connection, ["S1"], at(minute))
    return found


async def average(ledger: LedgerBench, minute: float = 59, entity: str = "") -> Decimal | None:
    return (await cost(ledger, minute)).states[entity].unit_cost


async def own(ledger: LedgerBench, entities: Mapping[str, str]) -> None:
    start = ledger.offsets.get(REFERENCE_DATA.name, 0)
    await ledger.tell(
        REFERENCE_DATA.name,
        [
            a_message(
                {"kind": "location", "location_id": name, "location_kind": "store",
                 "legal_entity": entity, "revision": 2},
                offset=start + i, topic=REFERENCE_DATA.name,
            )
            for i, (name, entity) in enumerate(entities.items())
        ],
    )  # fmt: skip


async def test_the_average_is_known_now_and_at_any_past_moment(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0), sale(4, 10), receipt(6, "10", 20))
    assert (await cost(ledger)).is_stale

    await work(ledger)

    assert await average(ledger) == Decimal("7.500000")
    assert await average(ledger, 15) == Decimal("5.000000")
    assert not (await cost(ledger)).is_stale
    assert await work(ledger) == 0


@pytest.mark.parametrize("late", ["receipt", "sale", "count"])
async def test_what_comes_late_has_the_cost_worked_out_again_from_its_moment(
    ledger: LedgerBench, late: str
) -> None:
    told = {
        "receipt": receipt(10, "8", 5), "sale": sale(6, 10),
        "count": a_movement(type="count", quantity=4, occurred_at=at(10).isoformat()),
    }[late]  # fmt: skip
    await ledger.move(receipt(10, "5", 0), receipt(10, "10", 20))
    await work(ledger)
    before = await average(ledger, 2)

    await ledger.move(told)
    assert await work(ledger) == 1

    expected = {"receipt": "7.666667", "sale": "8.571429", "count": "8.571429"}[late]
    assert await average(ledger) == Decimal(expected)
    assert await average(ledger, 2) == before


async def test_what_comes_late_at_a_place_that_is_new_to_the_sku_is_late_too(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(10, "5", 0), receipt(10, "10", 20))
    await work(ledger)

    await ledger.move(receipt(10, None, 10, location="L2"))
    await work(ledger)

    assert await average(ledger) == Decimal("6.666667")


async def test_sales_as_they_come_have_nothing_worked_out(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0))
    await work(ledger)

    await ledger.move(sale(1, 10), sale(1, 11))
    await ledger.move(a_movement(type="pick", quantity=1, occurred_at=at(12).isoformat()))

    assert await work(ledger) == 0


@pytest.mark.parametrize(
    ("corrected", "expected"),
    [
        pytest.param(receipt(8, "5", 0), "7.777778", id="another_quantity"),
        pytest.param(receipt(10, "6", 0), "8.000000", id="another_cost"),
        pytest.param(receipt(5, "6", 0), "8.666667", id="both"),
        pytest.param(receipt(10, "5", 0, location="L2"), "7.500000", id="another_place"),
    ],
)
@pytest.mark.parametrize("worked_before", [True, False])
async def test_a_corrected_receipt_counts_as_it_holds_now(
    ledger: LedgerBench, corrected: dict[str, object], expected: str, worked_before: bool
) -> None:
    await ledger.move(receipt(10, "5", 0, **a_paper(1)), receipt(10, "10", 20, **a_paper(2)))
    if worked_before:
        await work(ledger)

    await ledger.move({**corrected, **a_paper(1, revision=1)})
    await work(ledger)

    assert await average(ledger) == Decimal(expected)
    assert await ledger.unbalanced() == []


async def test_a_receipt_that_is_cancelled_never_was(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0, **a_paper(1)), receipt(10, "10", 20, **a_paper(2)))
    await work(ledger)

    await ledger.move(
        receipt(10, "5", 0, **a_paper(1))
        | {"reverses": {"occurred_at": at(0).isoformat(), **a_paper(1)}, **a_paper(3)}
    )
    await work(ledger)

    assert await average(ledger) == Decimal("10.000000")


async def test_an_opening_has_a_cost_and_what_goes_back_takes_its_own(ledger: LedgerBench) -> None:
    await ledger.move(
        a_movement(
            type="opening", quantity=10, unit_cost="5", currency="EUR",
            occurred_at=at(0).isoformat(),
        )
    )  # fmt: skip
    await ledger.move(receipt(10, "7", 10))
    await ledger.move(
        a_movement(
            type="supplier_return", quantity=10, unit_cost="7", currency="EUR",
            occurred_at=at(20).isoformat(), **{"from": {"bucket": "sellable"}},
        )
    )  # fmt: skip
    await work(ledger)

    assert [await average(ledger, minute) for minute in (5, 15, 25)] == [
        Decimal("5.000000"), Decimal("6.000000"), Decimal("5.000000"),
    ]  # fmt: skip


async def test_each_legal_entity_has_its_own_and_a_transfer_takes_the_givers_along(
    ledger: LedgerBench,
) -> None:
    await own(ledger, {"L1": "fr", "L2": "be"})
    await ledger.move(receipt(10, "5", 0), receipt(10, "8", 1, location="L2"))
    await work(ledger)

    await ledger.move(
        a_movement(
            type="transfer_dispatch", quantity=10, to_location="L2", occurred_at=at(9).isoformat()
        )
    )
    await work(ledger)

    assert await average(ledger, entity="fr") == Decimal("5.000000")
    assert await average(ledger, entity="be") == Decimal("6.500000")


async def test_two_workers_work_it_out_once(ledger: LedgerBench) -> None:
    await ledger.move(*(receipt(10, str(n), n, **a_paper(n)) for n in range(1, 8)))

    await asyncio.gather(*(work(ledger) for _ in range(4)))
    await work(ledger)

    assert await average(ledger) == Decimal("4.000000")
    assert await ledger.ask("select 1 from ledger.cost_dirty") == []
    assert len(await ledger.ask("select 1 from ledger.cost_points")) == 7


async def test_what_is_posted_while_it_is_worked_out_is_late(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0), receipt(10, "10", 20))
    async with ledger.pool.acquire() as connection:
        from services.ledger.repository import costs

        [dirty] = await costs.dirty_skus(connection, 10)
        await costs.raise_costed(connection, dirty)

    await ledger.move(sale(6, 10))

    rows = await ledger.ask("select since from ledger.cost_dirty order by row_id")
    assert [row["since"] for row in rows] == [at(0), at(10)]


@pytest.mark.parametrize("told_first", [True, False])
async def test_a_revaluation_holds_from_its_moment_until_the_next_cost(
    ledger: LedgerBench, told_first: bool
) -> None:
    moved = [receipt(10, "5", 0), receipt(10, "10", 20)]
    if not told_first:
        await ledger.move(*moved)
        await work(ledger)
    await revalue(ledger, "3", 10)
    if told_first:
        await ledger.move(*moved)
    await work(ledger)

    assert [await average(ledger, minute) for minute in (5, 15, 25)] == [
        Decimal("5.000000"), Decimal("3.000000"), Decimal("6.500000"),
    ]  # fmt: skip


async def test_a_revaluation_that_is_taken_back_never_was(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0))
    await revalue(ledger, "3", 10)
    await work(ledger)

    await revalue(ledger, "3", 10, revision=1, deleted=True)
    await work(ledger)

    assert await average(ledger) == Decimal("5.000000")


async def revalue(ledger: LedgerBench, to: str, minute: float, **more: object) -> None:
    record = {
        "kind": "revaluation", "sku": "S1", "from": at(minute).isoformat(), "unit_cost": to,
        "currency": "EUR", **more,
    }  # fmt: skip
    start = ledger.offsets.get(REFERENCE_DATA.name, 0)
    message = a_message(record, offset=start, topic=REFERENCE_DATA.name)
    await ledger.tell(REFERENCE_DATA.name, [message])


async def test_a_revaluation_of_a_day_to_come_waits_for_it(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0))
    await work(ledger)

    await revalue(ledger, "3", 30_000_000)  # 57 years on
    await ledger.move(receipt(10, "7", 10))
    await work(ledger)
    await ledger.move(sale(1, 30))

    assert await work(ledger) == 0
    async with ledger.pool.acquire() as connection:
        [found] = await costs_at(connection, ["S1"], at(29_999_999))
    assert found.states[""].unit_cost == Decimal("6.000000")
