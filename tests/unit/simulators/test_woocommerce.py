"""The simulated shop: its documented limits, its orders, its webhooks, its control."""

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.simulators.__main__ import main
from services.simulators.buyers import WooBuyers
from services.simulators.faults import CHUNK, CHUNKS_MAX, Calls, Limit
from services.simulators.webhooks import signature
from services.simulators.woocommerce import KEY, SECRET, WooCommerceSimulator
from tests.conformance.publication.stage import eventually, serving

ROOT = "/wp-json/wc/v3"


@pytest.fixture
def shop() -> WooCommerceSimulator:
    simulator = WooCommerceSimulator()
    simulator.stock(150, 5)
    return simulator


@pytest_asyncio.fixture(loop_scope="session")
async def client(shop: WooCommerceSimulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=shop.app)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://shop", auth=(KEY, SECRET)
    ) as made:
        yield made
    await shop.webhooks.close()


def an_order(*lines: tuple[int, int]) -> dict[str, Any]:
    return {
        "line_items": [{"product_id": entry, "quantity": quantity} for entry, quantity in lines]
    }


async def test_more_than_a_hundred_entries_are_refused_whole(client: httpx.AsyncClient) -> None:
    body = {
        "create": [{"sku": "N"}],
        "update": [{"id": i, "stock_quantity": 1} for i in range(1, 100)],
        "delete": [150],
    }

    answer = await client.post(f"{ROOT}/products/batch", json=body)

    assert answer.status_code == 413
    assert answer.json()["code"] == "woocommerce_rest_request_entity_too_large"
    one = await client.get(f"{ROOT}/products/1")
    assert one.json()["stock_quantity"] == 5


@pytest.mark.parametrize("quantity", [1.5, "3", True, 2**31, None])
async def test_only_integers_are_quantities(client: httpx.AsyncClient, quantity: object) -> None:
    answer = await client.put(f"{ROOT}/products/1", json={"stock_quantity": quantity})

    assert answer.status_code == (200 if quantity is None else 400)


async def test_a_page_has_a_hundred_entries_at_most(client: httpx.AsyncClient) -> None:
    too_many = await client.get(f"{ROOT}/products?per_page=101")
    page = await client.get(f"{ROOT}/products?per_page=100&page=2&_fields=id")
    by_sku = await client.get(f"{ROOT}/products?sku=SKU-7")
    senseless = await client.get(f"{ROOT}/products?per_page=many")

    assert too_many.json()["code"] == "rest_invalid_param"
    assert page.json()[0] == {"id": 101}
    assert page.headers["X-WP-TotalPages"] == "2"
    assert [entry["id"] for entry in by_sku.json()] == [7]
    assert senseless.status_code == 400


async def test_without_the_key_there_is_nothing(client: httpx.AsyncClient) -> None:
    answer = await client.get(f"{ROOT}/products", auth=("ck", "cs"))

    assert answer.status_code == 401
    assert answer.json()["data"]["status"] == 401


async def test_a_pace_is_kept_when_one_is_set(client: httpx.AsyncClient) -> None:
    await client.put("/_control/limits", json={"calls_per_second": 0.5, "burst": 2})

    statuses = [(await client.get(f"{ROOT}/products/1")).status_code for _ in range(3)]
    refused = await client.get(f"{ROOT}/products/1")

    assert statuses == [200, 200, 429]
    assert refused.headers["Retry-After"] == "2"


def test_a_pace_refills_with_time() -> None:
    limit = Limit()
    limit.set(2.0, 1.0)

    assert limit.wait_seconds(1_000_000) == 0.0
    assert limit.wait_seconds(1_000_000) == 0.5
    assert limit.wait_seconds(1_500_000) == 0.0


async def test_an_order_takes_what_is_shown_and_no_more(
    client: httpx.AsyncClient, shop: WooCommerceSimulator
) -> None:
    bought = await client.post(f"{ROOT}/orders", json=an_order((1, 4), (2, 1)))
    doubled = await client.post(f"{ROOT}/orders", json=an_order((3, 3), (3, 3)))
    too_much = await client.post(f"{ROOT}/orders", json=an_order((1, 2)))
    nothing = await client.post(f"{ROOT}/orders", json={})

    assert bought.status_code == 201
    assert shop.shop.entries[1].stock_quantity == 1
    assert doubled.json()["code"] == "woocommerce_rest_product_out_of_stock"
    assert too_much.status_code == nothing.status_code == 400
    assert shop.shop.entries[3].stock_quantity == 5


async def test_a_cancelled_order_gives_its_stock_back_once(
    client: httpx.AsyncClient, shop: WooCommerceSimulator
) -> None:
    order = (await client.post(f"{ROOT}/orders", json=an_order((1, 4)))).json()
    path = f"{ROOT}/orders/{order['id']}"

    for status in ("completed", "cancelled", "cancelled"):
        await client.put(path, json={"status": status})

    assert shop.shop.entries[1].stock_quantity == 5
    assert (await client.put(path, json={"status": "lost"})).status_code == 400
    assert (await client.get(f"{ROOT}/orders/9999")).status_code == 404


async def test_a_refund_restocks_its_units_and_ends_the_order(
    client: httpx.AsyncClient, shop: WooCommerceSimulator
) -> None:
    order = (await client.post(f"{ROOT}/orders", json=an_order((1, 4)))).json()
    line = order["line_items"][0]["id"]
    path = f"{ROOT}/orders/{order['id']}/refunds"

    part = await client.post(path, json={"line_items": [{"id": line, "quantity": 1}]})
    too_much = await client.post(path, json={"line_items": [{"id": line, "quantity": 4}]})
    await client.post(path, json={"line_items": [{"id": line, "quantity": 3}]})

    assert part.status_code == 201
    assert too_much.json()["code"] == "woocommerce_rest_invalid_order_refund"
    assert shop.shop.entries[1].stock_quantity == 5
    listed = (await client.get(f"{ROOT}/orders")).json()
    assert listed[0]["status"] == "refunded"


async def test_backorders_are_sold_below_zero(
    client: httpx.AsyncClient, shop: WooCommerceSimulator
) -> None:
    await client.put(f"{ROOT}/products/1", json={"backorders": "notify"})

    answer = await client.post(f"{ROOT}/orders", json=an_order((1, 7)))

    assert answer.status_code == 201
    assert shop.shop.entries[1].view()["stock_status"] == "onbackorder"
    assert shop.shop.entries[1].stock_quantity == -2


class Receiver:
    """Takes webhooks, with the status it is told to answer."""

    def __init__(self) -> None:
        self.status = 200
        self.received: list[tuple[dict[str, str], bytes]] = []
        self.app = Starlette(routes=[Route("/hook", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> Response:
        self.received.append((dict(request.headers), await request.body()))
        return Response(status_code=self.status)


async def test_webhooks_are_signed_and_begin_with_a_ping(client: httpx.AsyncClient) -> None:
    receiver = Receiver()
    async with serving(receiver.app) as url:
        hook = {"topic": "order.created", "delivery_url": f"{url}/hook", "secret": "s3cret"}
        made = (await client.post(f"{ROOT}/webhooks", json=hook)).json()
        await client.post(f"{ROOT}/orders", json=an_order((1, 1)))
        await eventually(lambda: len(receiver.received) == 2)

    (ping, ping_body), (headers, body) = receiver.received
    assert ping["content-type"] == "application/x-www-form-urlencoded"
    assert ping_body == f"webhook_id={made['id']}".encode()
    assert headers["x-wc-webhook-signature"] == signature(body, "s3cret")
    assert len(base64.b64decode(headers["x-wc-webhook-signature"])) == 32
    assert headers["x-wc-webhook-topic"] == "order.created"
    assert (headers["x-wc-webhook-resource"], headers["x-wc-webhook-event"]) == ("order", "created")
    assert headers["x-wc-webhook-delivery-id"]


async def test_a_webhook_is_disabled_after_five_failures_in_a_row(
    client: httpx.AsyncClient, shop: WooCommerceSimulator
) -> None:
    receiver = Receiver()
    async with serving(receiver.app) as url:
        hook = {"topic": "order.created", "delivery_url": f"{url}/hook", "secret": "s"}
        made = (await client.post(f"{ROOT}/webhooks", json=hook)).json()
        await eventually(lambda: len(receiver.received) == 1)
        receiver.status = 500
        for entry in range(1, 8):
            await client.post(f"{ROOT}/orders", json=an_order((entry, 1)))
        await eventually(lambda: shop.webhooks.hooks[made["id"]].status == "disabled")
        await client.post(f"{ROOT}/orders", json=an_order((9, 1)))

        assert len(receiver.received) == 6
        receiver.status = 200
        await client.put(f"{ROOT}/webhooks/{made['id']}", json={"status": "active"})
        await client.post(f"{ROOT}/orders", json=an_order((10, 1)))
        await eventually(lambda: len(receiver.received) == 7)
    assert (await client.get(f"{ROOT}/webhooks")).json()[0]["status"] == "active"


async def test_buyers_buy_what_is_shown_and_never_more(shop: WooCommerceSimulator) -> None:
    closing = asyncio.Event()
    async with serving(shop.app) as url:
        buyers = WooBuyers(
            url=url, key=KEY, secret=SECRET, orders_per_second=500, rng=random.Random(4),
            cancelled_share=0.2,
        )  # fmt: skip
        task = asyncio.create_task(buyers.run(closing))
        await eventually(lambda: buyers.tally.bought >= 40 and buyers.tally.cancelled >= 1)
        closing.set()
        await task

    stock = [entry.stock_quantity or 0 for entry in shop.shop.entries.values()]
    assert min(stock) >= 0
    sold = sum(
        line.quantity
        for order in shop.shop.orders.values()
        for line in order.lines
        if order.has_taken
    )
    assert sum(stock) == 150 * 5 - sold
    assert buyers.tally.failed == 0


async def test_the_log_of_writes_is_read_on_from_a_cursor(client: httpx.AsyncClient) -> None:
    for value in (3, 2, 1):
        await client.put(f"{ROOT}/products/1", json={"stock_quantity": value})

    first = (await client.get("/_control/calls?limit=2")).json()
    rest = (await client.get(f"/_control/calls?after={first['next']}")).json()

    assert [value for _, _, value in first["calls"]] == [3, 2]
    assert [value for _, _, value in rest["calls"]] == [1]
    assert rest["next"] == 3


def test_the_log_of_writes_is_bounded_and_its_cursor_goes_on() -> None:
    calls = Calls()
    total = CHUNK * CHUNKS_MAX + 10
    for number in range(total):
        calls.note(number, 1, number)

    cursor, found = calls.read(0, total)

    assert found[0][2] == CHUNK
    assert cursor == total
    assert calls.read(cursor, 5) == (cursor, [])


async def test_unknown_faults_are_refused(client: httpx.AsyncClient) -> None:
    answer = await client.put("/_control/faults", json={"faults": [{"kind": "gremlin"}]})

    assert answer.status_code == 400
    assert (await client.get("/_control/health")).json() == {"ok": True}


def test_the_runner_knows_its_protocols() -> None:
    with pytest.raises(SystemExit):
        main(["fax"])
