"""The simulated store-front: what is shown is sold and no more; orders, webhooks, buyers."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.simulators.__main__ import PROTOCOLS, Told
from services.simulators.shopify import SECRET, ShopifySimulator
from services.simulators.shopify.buyers import ShopifyBuyers
from services.simulators.shopify.simulator import LOCATION, VARIANTS_FROM
from services.simulators.shopify.stock import Level
from services.simulators.webhooks import signature
from tests.conformance.publication.stage import eventually, serving
from tests.unit.simulators.shopify_shop import ELSEWHERE, SUBSCRIBE, Client, a_client, a_simulator


@pytest.fixture
def shop() -> ShopifySimulator:
    return a_simulator()


@pytest_asyncio.fixture(loop_scope="session")
async def client(shop: ShopifySimulator) -> AsyncIterator[Client]:
    async with a_client(shop) as made:
        yield made


def lines(*wanted: tuple[int, int]) -> dict[str, Any]:
    """Units of items, by their variants."""
    return {
        "line_items": [
            {"variant_id": VARIANTS_FROM + item, "quantity": units} for item, units in wanted
        ]
    }


async def placed(client: Client, *wanted: tuple[int, int]) -> dict[str, Any]:
    answer = await client.http.post("/storefront/orders", json=lines(*wanted))
    assert answer.status_code == 201
    order: dict[str, Any] = answer.json()["order"]
    return order


async def change(client: Client, order: dict[str, Any], what: str, **body: Any) -> int:
    path = f"/storefront/orders/{order['id']}/{what}"
    return (await client.http.post(path, json=body)).status_code


async def latest(client: Client, order: dict[str, Any]) -> dict[str, Any]:
    answer = await client.http.get(f"/storefront/orders/{order['id']}")
    found: dict[str, Any] = answer.json()["order"]
    return found


def level_of(shop: ShopifySimulator, item: int) -> Level:
    return shop.stock_room.items[item].levels[LOCATION]


async def test_what_is_shown_is_sold_and_no_more(client: Client, shop: ShopifySimulator) -> None:
    await placed(client, (1, 9), (2, 1))
    refusals = [
        await client.http.post("/storefront/orders", json=body)
        for body in (
            lines((1, 2)), lines((3, 6), (3, 6)), {}, lines((1, 0)),
            {"line_items": [{"variant_id": 1, "quantity": 1}]},
        )
    ]  # fmt: skip
    page = (await client.http.get("/storefront/products?per_page=2")).json()

    assert [answer.status_code for answer in refusals] == [422, 422, 422, 422, 404]
    assert (level_of(shop, 1).available, level_of(shop, 1).on_hand) == (1, 10)
    assert level_of(shop, 3).available == 10
    assert page["products"][0] == {
        "variant_id": VARIANTS_FROM + 1, "inventory_item_id": 1, "sku": "SKU-1", "available": 1,
        "in_stock": True,
    }  # fmt: skip
    assert page["pages"] == 151
    assert (await client.http.get("/storefront/products?page=0")).status_code == 400


async def test_a_line_is_served_from_several_locations(
    client: Client, shop: ShopifySimulator
) -> None:
    shop.stock_room.items[1].levels[ELSEWHERE] = Level(5)

    order = await placed(client, (1, 13))
    await change(client, order, "cancel", reason="customer")

    found = shop.stock_room.items[1].levels
    assert [found[LOCATION].available, found[ELSEWHERE].available] == [10, 5]
    assert [found[LOCATION].committed, found[ELSEWHERE].committed] == [0, 0]


async def test_a_cancelled_order_gives_its_stock_back_once(
    client: Client, shop: ShopifySimulator
) -> None:
    order = await placed(client, (1, 4))

    first = await change(client, order, "cancel", reason="customer")
    again = await change(client, order, "cancel", reason="customer")

    found = await latest(client, order)
    assert (first, again) == (200, 422)
    assert found["cancelled_at"] is not None
    assert (found["cancel_reason"], found["financial_status"]) == ("customer", "refunded")
    assert found["line_items"][0]["fulfillable_quantity"] == 0
    assert found["refunds"][0]["refund_line_items"][0]["restock_type"] == "cancel"
    assert (level_of(shop, 1).available, level_of(shop, 1).committed) == (10, 0)


async def test_refunds_take_back_what_is_left_and_no_more(
    client: Client, shop: ShopifySimulator
) -> None:
    order = await placed(client, (1, 4))
    line = order["line_items"][0]["id"]

    async def refund(units: int, kind: str, of: int = line) -> int:
        told = [{"line_item_id": of, "quantity": units, "restock_type": kind}]
        return await change(client, order, "refunds", refund_line_items=told)

    statuses = [
        await refund(1, "cancel"), await refund(1, "no_restock"), await refund(1, "return"),
        await refund(3, "cancel"), await refund(1, "lost"), await refund(0, "cancel"),
        await refund(1, "cancel", of=1),
    ]  # fmt: skip
    found = await latest(client, order)

    assert statuses == [201, 201, 422, 422, 422, 422, 422]
    assert found["line_items"][0]["fulfillable_quantity"] == 2
    assert found["line_items"][0]["current_quantity"] == 2
    assert found["financial_status"] == "partially_refunded"
    assert (level_of(shop, 1).available, level_of(shop, 1).on_hand) == (7, 9)


async def test_what_was_sent_comes_back_as_a_return(client: Client, shop: ShopifySimulator) -> None:
    order = await placed(client, (1, 4))
    line = order["line_items"][0]["id"]

    sent = await change(client, order, "fulfillments")
    nothing = await change(client, order, "fulfillments")
    cancelled = await change(client, order, "cancel", reason="customer")
    back = {"line_item_id": line, "quantity": 1, "restock_type": "return"}
    returned = await change(client, order, "refunds", refund_line_items=[back])

    found = await latest(client, order)
    assert [sent, nothing, cancelled, returned] == [201, 422, 422, 201]
    assert found["fulfillments"][0]["line_items"][0]["quantity"] == 4
    assert found["fulfillment_status"] == "fulfilled"
    assert (level_of(shop, 1).available, level_of(shop, 1).on_hand) == (7, 7)
    assert (await client.http.get("/storefront/orders")).json()["pages"] == 1


class Receiver:
    """Takes webhooks, with the status it is told to answer."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)


async def subscribe(client: Client, topic: str, uri: str) -> dict[str, Any]:
    answer = (await client.ask(SUBSCRIBE, {"topic": topic, "hook": {"uri": uri}})).json()
    found: dict[str, Any] = answer["data"]["webhookSubscriptionCreate"]
    return found


async def test_webhooks_are_signed_and_named(client: Client) -> None:
    receiver = Receiver()
    async with serving(receiver.app) as url:
        for topic in ("ORDERS_CREATE", "ORDERS_CANCELLED", "REFUNDS_CREATE"):
            made = await subscribe(client, topic, f"{url}/hook")
            assert made["webhookSubscription"]["topic"] == topic
        order = await placed(client, (1, 2))
        await change(client, order, "cancel", reason="inventory")
        await eventually(lambda: len(receiver.received) == 3)

    by_topic = {headers["x-shopify-topic"]: (headers, b) for headers, b in receiver.received}
    assert set(by_topic) == {"orders/create", "orders/cancelled", "refunds/create"}
    for headers, body in by_topic.values():
        assert headers["x-shopify-hmac-sha256"] == signature(body, SECRET)
        assert headers["x-shopify-triggered-at"]
    assert len({headers["x-shopify-webhook-id"] for headers, _ in by_topic.values()}) == 3
    assert len({headers["x-shopify-event-id"] for headers, _ in by_topic.values()}) == 3
    told = json.loads(by_topic["orders/create"][1])
    assert told["line_items"][0]["fulfillable_quantity"] == 2
    assert told["customer"]["email"].endswith(".invalid")
    refund = json.loads(by_topic["refunds/create"][1])
    assert refund["order_id"] == order["id"]
    assert (await subscribe(client, "PRODUCTS_UPDATE", "x"))["userErrors"]


async def test_a_failed_delivery_is_tried_eight_times_more_and_then_unsubscribed(
    client: Client, shop: ShopifySimulator
) -> None:
    receiver = Receiver()
    receiver.status = 500
    await client.http.put("/_control/limits", json={"webhook_pause_seconds": 0.001})
    async with serving(receiver.app) as url:
        await subscribe(client, "ORDERS_CREATE", f"{url}/hook")
        await placed(client, (1, 1))
        await eventually(lambda: len(shop.webhooks.removed) == 1)
        await placed(client, (1, 1))

    assert len(receiver.received) == 9
    assert len({headers["x-shopify-webhook-id"] for headers, _ in receiver.received}) == 1
    listed = "{ webhookSubscriptions(first: 9) { nodes { id } } }"
    assert (await client.ask(listed, {})).json()["data"]["webhookSubscriptions"]["nodes"] == []


async def test_a_delivery_that_gets_through_in_time_keeps_the_subscription(
    client: Client, shop: ShopifySimulator
) -> None:
    receiver = Receiver()
    receiver.status = 503
    shop.webhooks.first_pause_seconds = 0.001
    async with serving(receiver.app) as url:
        await subscribe(client, "ORDERS_CREATE", f"{url}/hook")
        await placed(client, (1, 1))
        await eventually(lambda: len(receiver.received) >= 3)
        receiver.status = 200
        (hook,) = shop.webhooks.subscriptions.values()
        await eventually(lambda: hook.delivered == 1)

    assert hook.failures == 0
    assert shop.webhooks.removed == []


async def test_buyers_buy_what_is_shown_and_never_more(shop: ShopifySimulator) -> None:
    closing = asyncio.Event()
    async with serving(shop.app) as url:
        buyers = ShopifyBuyers(
            url=url, orders_per_second=500, rng=random.Random(4), cancelled_share=0.2
        )
        task = asyncio.create_task(buyers.run(closing))
        await eventually(lambda: buyers.tally.bought >= 40 and buyers.tally.cancelled >= 1)
        closing.set()
        await task
    await shop.webhooks.close()

    levels = [level for item in shop.stock_room.items.values() for level in item.levels.values()]
    assert min(level.available for level in levels) >= 0
    open_units = sum(
        line.open_units for order in shop.orders.orders.values() for line in order.lines
    )
    assert open_units == sum(level.committed for level in levels)
    assert sum(level.on_hand for level in levels) == 3_000
    assert buyers.tally.failed == 0


def test_the_runner_makes_a_shop_with_the_token_it_is_told() -> None:
    told = Told(key="t", secret="s", source="http://shop/", speed=1.0, accepts=True)

    shop = PROTOCOLS["shopify"](told)
    shop.stock(2, 3)

    assert isinstance(shop, ShopifySimulator)
    assert shop.shown(2) == 3
