"""Parked messages of orders over HTTP: listed, shown, replayed once; and orders a bug kept back."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from services.orders import api
from services.orders.domain.sourcing import Demand, PoolOrder, Preference
from services.orders.handlers.redeciding import Redeciding
from shared.contracts.topics import ORDERS
from shared.kafka.consuming import TooManyBugs
from shared.telemetry.health import Health
from tests.integration.orders.bench import WEB, OrdersBench, a_line, an_order


class BrokenFor:
    """A sourcing with a bug on one SKU, until it is mended."""

    def __init__(self, *skus: str) -> None:
        self.skus = set(skus)

    def rank(self, demand: Demand) -> Preference:
        if demand.sku in self.skus:
            raise ZeroDivisionError(demand.sku)
        return PoolOrder().rank(demand)


@pytest_asyncio.fixture(loop_scope="session")
async def http(orders: OrdersBench) -> AsyncIterator[httpx.AsyncClient]:
    application = api.create(
        orders.pool, lambda ids: orders.handler.replay(orders.pool, ids), Health("orders")
    )
    transport = httpx.ASGITransport(app=application)
    async with httpx.AsyncClient(transport=transport, base_url="http://orders") as client:
        yield client


async def open_reasons(orders: OrdersBench) -> list[object]:
    rows = await orders.ask("select reason from orders.parked where status = 'parked'")
    return [row["reason"] for row in rows]


def with_bug(orders: OrdersBench, sourcing: BrokenFor) -> None:
    orders.redeciding = Redeciding(
        orders.pool, sourcing, orders.clock, asyncio.Event(), woken=lambda: None
    )


async def change_the_pool(orders: OrdersBench, revision: int) -> None:
    """Has every order of the channel decided again."""
    await orders.refer(WEB | {"pool": ["L2", "L1"], "revision": revision})


async def test_a_message_that_cannot_be_read_is_replayed_and_parked_again(
    orders: OrdersBench, http: httpx.AsyncClient
) -> None:
    await orders.tell(ORDERS.name, b"nonsense")
    (listed,) = (await http.get("/v1/parked")).json()["parked"]

    shown = (await http.get(f"/v1/parked/{listed['parked_id']}")).json()
    replayed = (await http.post(f"/v1/parked/{listed['parked_id']}/replay")).json()

    assert shown["value"] == "nonsense"
    assert replayed == {"replayed": 1, "status": "parked", "reason": shown["reason"]}
    assert (await http.post("/v1/parked/999/replay")).status_code == 404
    assert len(await orders.ask("select 1 from orders.parked")) == 1


async def test_a_parked_order_is_applied_once_however_often_it_is_replayed(
    orders: OrdersBench, http: httpx.AsyncClient
) -> None:
    await orders.tell(ORDERS.name, b"nonsense")
    (row,) = await orders.ask("select parked_id from orders.parked")
    value = await orders.batch(ORDERS.name, [an_order()])
    await orders.ask(
        "update orders.parked set value = $1 returning 1", next(value.messages()).value
    )

    path = f"/v1/parked/{row['parked_id']}/replay"
    answers = await asyncio.gather(*(http.post(path) for _ in range(5)))

    assert sorted(answer.json()["replayed"] for answer in answers) == [0, 0, 0, 0, 1]
    assert (await http.post(path)).json()["replayed"] == 0
    assert await open_reasons(orders) == []
    assert len(await orders.commands()) == 1


async def test_an_order_with_a_bug_is_parked_and_the_others_are_decided_again(
    orders: OrdersBench,
) -> None:
    await orders.order(
        *[an_order(order_id=f"O{n}") for n in range(3)],
        an_order(a_line(sku="S2"), order_id="broken"),
    )
    with_bug(orders, BrokenFor("S2"))

    await change_the_pool(orders, 1)

    (parked,) = await orders.ask("select topic, reason, detail from orders.parked")
    assert (parked["topic"], parked["reason"]) == ("redecide:broken", "internal_error")
    assert "ZeroDivisionError" in str(parked["detail"])
    assert {c["order_id"]: c["candidates"] for c in await orders.commands()} == {
        "O0": ["L2", "L1"], "O1": ["L2", "L1"], "O2": ["L2", "L1"], "broken": ["L1", "L2"],
    }  # fmt: skip


async def test_a_parked_order_is_decided_when_it_is_replayed(
    orders: OrdersBench, http: httpx.AsyncClient
) -> None:
    await orders.order(an_order(a_line(sku="S2")))
    broken = BrokenFor("S2")
    with_bug(orders, broken)
    await change_the_pool(orders, 1)
    broken.skus.clear()

    assert (await http.post("/v1/parked:replay", json={})).json() == {"replayed": 1}
    await orders.settle()

    assert await open_reasons(orders) == []
    assert (await orders.wish())[2] == ["L2", "L1"]


async def test_ten_orders_with_a_bug_in_a_minute_stop_the_process(orders: OrdersBench) -> None:
    await orders.order(*[an_order(order_id=f"O{n:02}") for n in range(12)])
    with_bug(orders, BrokenFor("S1"))

    with pytest.raises(TooManyBugs):
        await change_the_pool(orders, 1)

    assert len(await open_reasons(orders)) == 10
