"""Costs around an opening, what comes at the very moment of a cost, and work that is cut short."""

import asyncio
from decimal import Decimal

import pytest

from services.ledger.handlers.costing import Costing
from services.ledger.repository import costs
from tests.integration.ledger.bench import LedgerBench, at
from tests.integration.ledger.counter import open_counter
from tests.integration.ledger.test_costs import a_paper, average, cost, receipt, sale, work

Told = dict[str, object]


def opening(quantity: int, cost: str, revision: int = 0) -> Told:
    told = receipt(quantity, cost, 10, **a_paper(1, revision=revision))
    return told | {"type": "opening"}


CANCELLED = opening(10, "5") | a_paper(3) | {
    "reverses": {"occurred_at": at(10).isoformat(), **a_paper(1)}
}  # fmt: skip


@pytest.mark.parametrize("is_backwards", [False, True])
@pytest.mark.parametrize(
    ("told", "expected"),
    [
        pytest.param([receipt(10, "20", 0), opening(10, "5")], "5", id="after_a_receipt"),
        pytest.param([receipt(10, "20", 0), sale(4, 5), opening(10, "5")], "5", id="and_a_sale"),
        pytest.param([opening(10, "5"), opening(10, "6", 1)], "6", id="another_cost"),
        pytest.param(
            [receipt(3, "20", 0), opening(10, "5"), opening(8, "6", 1), opening(9, "7", 2)], "7",
            id="corrected_twice",
        ),
        pytest.param([receipt(10, "20", 0), opening(10, "5"), CANCELLED], "20", id="cancelled"),
    ],
)  # fmt: skip
async def test_an_opening_as_it_holds_now_says_what_its_units_cost(
    ledger: LedgerBench, told: list[Told], expected: str, is_backwards: bool
) -> None:
    for one in reversed(told) if is_backwards else told:
        await ledger.move(one)
        await work(ledger)

    assert await average(ledger) == Decimal(expected)


async def test_what_comes_late_of_the_very_moment_of_a_cost_is_not_forgotten(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(10, "5", 0))
    await work(ledger)

    await ledger.move(sale(6, 0))
    await ledger.move(receipt(10, "10", 20))
    await work(ledger)

    assert await average(ledger) == Decimal("8.571429")


async def test_what_is_of_a_moment_to_come_waits_for_it(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0))
    await ledger.ask("update ledger.cost_dirty set until = now() + interval '1 minute'")

    assert await work(ledger) == 0
    assert (await cost(ledger)).is_stale


async def test_work_that_is_cut_short_is_done_again_once(
    ledger: LedgerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ledger.move(receipt(10, "5", 0), receipt(10, "10", 20))
    save = costs.save

    async def saved_and_gone(*arguments: object) -> None:
        await save(*arguments)  # type: ignore[arg-type]  # as they come
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(costs, "save", saved_and_gone)
        with pytest.raises(ConnectionResetError):
            await Costing(ledger.pool, asyncio.Event()).turn()

    assert await ledger.ask("select 1 from ledger.cost_points") == []
    assert (await work(ledger), await work(ledger)) == (1, 0)
    assert await average(ledger) == Decimal("7.500000")
    assert len(await ledger.ask("select 1 from ledger.cost_points")) == 2


async def test_costs_are_asked_for_over_http(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "5", 0), receipt(10, "10", 20))
    await work(ledger)
    await ledger.move(receipt(20, "8.25", 30))

    async with open_counter(ledger) as counter, counter.http() as http:
        now = (await http.get("/v1/costs", params={"sku": ["S1", "S2", "nobody"]})).json()
        then = await http.get("/v1/costs", params={"sku": "S1", "at": at(15).isoformat()})
        other = (await http.get("/v1/costs", params={"sku": "S1", "entity": "be"})).json()
        wrong = await http.get("/v1/costs", params={"sku": "S1", "at": "yesterday"})

    one, two = now["costs"]
    assert (one["sku"], one["is_stale"], two["sku"], two["entities"]) == ("S1", True, "S2", [])
    assert one["entities"] == [
        {"legal_entity": "", "unit_cost": "7.500000", "currency": "EUR", "uncosted_units": 0}
    ]
    assert then.json()["costs"][0]["entities"][0]["unit_cost"] == "5.000000"
    assert not then.json()["costs"][0]["is_stale"]
    assert other["costs"][0]["entities"] == []
    assert wrong.status_code == 422
