"""Return states in, movements out."""

import pytest

from shared.contracts.movements import StockMovement, accounts_of, movement_id
from tests.integration.orders.bench import Json, OrdersBench, a_return

LINE: Json = {"line_id": "1", "sku": "S1", "announced": 3}


def graded(**units: int) -> Json:
    return LINE | {"received": sum(units.values()), "graded": units}


async def movements(orders: OrdersBench) -> list[StockMovement]:
    return [StockMovement.decode(message.value) for message in await orders.sent()]


async def test_what_is_graded_becomes_a_movement_for_each_bucket(orders: OrdersBench) -> None:
    await orders.give_back(a_return(graded(sellable=2, damaged=1)))

    found = sorted(await movements(orders), key=lambda movement: movement.quantity)

    assert [(m.type, m.quantity, accounts_of(m)[0].bucket, accounts_of(m)[1]) for m in found] == [
        ("return", 1, "customer", ("L1", "damaged", "own")),
        ("return", 2, "customer", ("L1", "sellable", "own")),
    ]
    assert {m.order_line.order_id for m in found if m.order_line} == {"O1"}


@pytest.mark.parametrize(
    "told",
    [
        a_return(LINE, state="announced"),
        a_return(LINE | {"received": 3}),
        a_return(LINE, state="closed"),
    ],
)
async def test_what_is_announced_refunded_or_not_yet_looked_at_moves_nothing(
    orders: OrdersBench, told: Json
) -> None:
    await orders.give_back(told)

    assert await orders.sent() == []


async def test_a_state_told_again_makes_no_movement(orders: OrdersBench) -> None:
    told = a_return(graded(sellable=2))
    await orders.give_back(told, told)
    assert len(await orders.sent()) == 1

    await orders.give_back(told)
    await orders.give_back(told | {"updated_at": "2026-06-01T13:00:00Z", "state": "closed"})

    assert await orders.sent() == []


async def test_only_growth_moves_and_it_never_falls(orders: OrdersBench) -> None:
    for hour, units in ((12, 2), (13, 5), (14, 4), (15, 6)):
        await orders.give_back(
            a_return(graded(sellable=units), updated_at=f"2026-06-01T{hour}:00:00Z")
        )

    found = await movements(orders)

    assert [m.quantity for m in found] == [2, 3, 1]
    assert [m.document.line for m in found if m.document] == [
        "1|S1/sellable/2",
        "1|S1/sellable/5",
        "1|S1/sellable/6",
    ]


async def test_the_same_messages_in_other_batches_make_the_same_events(
    orders: OrdersBench,
) -> None:
    states = [
        a_return(graded(sellable=units), updated_at=f"2026-06-01T{hour}:00:00Z", return_id=name)
        for name in ("R1", "R2")
        for hour, units in ((12, 2), (13, 5))
    ]
    await orders.give_back(states[0])
    await orders.give_back(states[1])
    await orders.give_back(*states[2:])

    found = await movements(orders)

    ids = [movement_id(m, source="stocktide:orders", ce_id="any") for m in found]
    assert len(set(ids)) == 4
    assert [(m.quantity, m.occurred_at.hour) for m in found] == [(2, 12), (3, 13)] * 2


async def test_a_return_without_a_location_moves_when_it_is_told(orders: OrdersBench) -> None:
    await orders.give_back(a_return(graded(sellable=2), location=None))
    assert await orders.sent() == []

    await orders.give_back(a_return(graded(sellable=2), updated_at="2026-06-01T13:00:00Z"))

    assert [(m.quantity, m.location) for m in await movements(orders)] == [(2, "L1")]


async def test_a_version_without_a_time_takes_the_brokers(orders: OrdersBench) -> None:
    await orders.give_back(a_return(graded(sellable=1), updated_at=None, version=4))

    assert [m.occurred_at.year for m in await movements(orders)] == [2000]


async def test_long_names_still_fit_a_document(orders: OrdersBench) -> None:
    lines = [graded(sellable=1) | {"line_id": "x" * 150 + str(n)} for n in range(2)]

    await orders.give_back(a_return(*lines, return_id="r" * 200))

    found = await movements(orders)
    assert len({m.document.line for m in found if m.document}) == 2
