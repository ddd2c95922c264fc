"""The simulated shop delivers to ingestion over real HTTP, as a Shopify shop would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from services.simulators.shopify import ShopifySimulator
from services.simulators.shopify.persons import NEVER_KEPT
from services.simulators.shopify.simulator import VARIANTS_FROM
from shared.testing.waiting import until
from tests.conformance.publication.stage import serving
from tests.integration.ingestion.bench import SHOPIFY_SECRET, Bench, values
from tests.unit.ingestion import builders
from tests.unit.simulators.shopify_shop import SUBSCRIBE, Client

pytestmark = pytest.mark.usefixtures("topics")

TOPICS = ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE")
FIRST, SECOND = VARIANTS_FROM + 1, VARIANTS_FROM + 2


class Shop:
    """A simulated shop with two variants, and its owner."""

    def __init__(self, simulator: ShopifySimulator, http: httpx.AsyncClient) -> None:
        self.simulator, self._http = simulator, http

    async def subscribe(self, uri: str) -> None:
        """Every topic, to one address."""
        for topic in TOPICS:
            variables = {"topic": topic, "hook": {"uri": uri, "format": "JSON"}}
            answer = await Client(self._http).ask(SUBSCRIBE, variables)
            assert answer.json()["data"]["webhookSubscriptionCreate"]["userErrors"] == []

    async def place(self, *lines: tuple[int, int]) -> dict[str, Any]:
        """A buyer's order of (variant, units)."""
        wanted = [{"variant_id": variant, "quantity": units} for variant, units in lines]
        answer = await self._http.post("/storefront/orders", json={"line_items": wanted})
        assert answer.status_code == 201
        order: dict[str, Any] = answer.json()["order"]
        return order

    async def change(self, order: dict[str, Any], what: str, **body: Any) -> None:
        """`cancel`, `refunds` or `fulfillments` of an order."""
        answer = await self._http.post(f"/storefront/orders/{order['id']}/{what}", json=body)
        assert answer.status_code in (200, 201), answer.text

    async def refund(self, order: dict[str, Any], units: int, kind: str) -> None:
        """Units of the first line."""
        line = {"line_item_id": order["line_items"][0]["id"], "quantity": units}
        await self.change(order, "refunds", refund_line_items=[line | {"restock_type": kind}])


@asynccontextmanager
async def a_shop(secret: str = SHOPIFY_SECRET) -> AsyncIterator[Shop]:
    simulator = ShopifySimulator(secret=secret)
    simulator.stock(2, 100)
    simulator.webhooks.first_pause_seconds = 0.001
    async with serving(simulator.app) as url, httpx.AsyncClient(base_url=url) as http:
        yield Shop(simulator, http)
        await simulator.webhooks.close()


async def test_orders_cancellations_and_refunds_of_the_simulated_shop_become_orders(
    bench: Bench,
) -> None:
    await bench.tell_listings(
        {"listing_id": str(FIRST), "sku": "SKU-1"}, {"listing_id": str(SECOND), "sku": "SKU-2"}
    )
    async with bench.process() as ingestion, a_shop() as shop:
        await shop.subscribe(f"{ingestion.base_url}/v1/webhooks/shopify/{bench.shopify}")
        kept = await shop.place((FIRST, 3), (SECOND, 1))
        gone = await shop.place((FIRST, 2))
        partly = await shop.place((FIRST, 4))
        returned = await shop.place((FIRST, 5))
        await shop.change(gone, "cancel", reason="customer")
        await shop.refund(partly, 1, "cancel")
        await shop.change(returned, "fulfillments")
        await shop.refund(returned, 2, "return")

        told = await _told(
            bench,
            {
                kept["id"]: ("confirmed", 0, 0, 0), gone["id"]: ("cancelled", 2, 0, 0),
                partly["id"]: ("confirmed", 1, 0, 0), returned["id"]: ("confirmed", 0, 5, 2),
            },
        )  # fmt: skip

        assert shop.simulator.webhooks.removed == []
        everything = await bench.everything()
    order = told[kept["id"]]
    assert [(line["sku"], line["quantity"]) for line in order["lines"]] == [
        ("SKU-1", 3), ("SKU-2", 1),
    ]  # fmt: skip
    assert order["zone"] == "FR-00"
    assert order["customer_ref"]
    assert [word for word in NEVER_KEPT if word in everything] == []


async def test_a_delivery_that_comes_twice_changes_nothing(bench: Bench) -> None:
    await bench.tell_listings({"listing_id": str(FIRST), "sku": "SKU-1"})
    statuses: list[int] = []
    async with bench.process() as ingestion, a_shop() as shop:

        async def double(request: Request) -> Response:
            """A network that loses the first answer."""
            names = ("content-type", "x-shopify-topic", "x-shopify-hmac-sha256",
                     "x-shopify-webhook-id")  # fmt: skip
            headers = {name: request.headers[name] for name in names}
            url = f"/v1/webhooks/shopify/{bench.shopify}"
            for _ in range(2):
                answer = await ingestion.post(url, content=await request.body(), headers=headers)
                statuses.append(answer.status_code)
            return Response(status_code=statuses[-1])

        app = Starlette(routes=[Route("/hook", double, methods=["POST"])])
        async with serving(app) as url:
            await shop.subscribe(f"{url}/hook")
            order = await shop.place((FIRST, 3))
            await shop.refund(order, 1, "cancel")
            told = await _told(bench, {order["id"]: ("confirmed", 1, 0, 0)})

            async def are_all_through() -> bool:
                return len(statuses) == 6

            await until(are_all_through)
        rows = await bench.ask("select count(*)::int as n from ingestion.inbox")

    assert told[order["id"]]["lines"][0]["cancelled"] == 1
    assert set(statuses) == {200}
    assert rows[0]["n"] == 3


async def test_a_shop_that_signs_with_another_secret_is_refused_until_it_is_unsubscribed(
    bench: Bench,
) -> None:
    async with bench.process() as ingestion, a_shop(builders.OTHER_SECRET) as shop:
        await shop.subscribe(f"{ingestion.base_url}/v1/webhooks/shopify/{bench.shopify}")
        await shop.place((FIRST, 1))

        async def is_removed() -> bool:
            return [one.topic for one in shop.simulator.webhooks.removed] == ["orders/create"]

        await until(is_removed)

    assert await bench.statuses() == {}


async def _told(
    bench: Bench, wanted: dict[int, tuple[str, int, int, int]]
) -> dict[int, dict[str, Any]]:
    """The latest state of each order, once each is as wanted: its state, and the cancelled,
    shipped and returned units of its first line.
    """
    told: dict[int, dict[str, Any]] = {}

    async def are_there() -> bool:
        messages = await bench.orders(len(wanted))
        ordered = sorted(messages, key=lambda m: (m.partition, m.offset))
        told.update({int(o["order_id"].rsplit(":")[-1]): o for o in values(ordered)})
        return {number: _short(order) for number, order in told.items()} == wanted

    await until(are_there)
    return told


def _short(order: dict[str, Any]) -> tuple[str, int, int, int]:
    line = order["lines"][0]
    units = [line.get(name) or 0 for name in ("cancelled", "shipped", "returned")]
    return order["state"], units[0], units[1], units[2]
