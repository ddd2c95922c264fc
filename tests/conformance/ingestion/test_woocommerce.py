"""The simulated shop delivers to ingestion over real HTTP, as a WooCommerce shop would."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from services.simulators.woocommerce import KEY, SECRET, WooCommerceSimulator
from shared.testing.waiting import until
from tests.integration.ingestion.bench import Bench, free_port, values
from tests.unit.ingestion import builders

pytestmark = pytest.mark.usefixtures("topics")

ROOT = "/wp-json/wc/v3"


@asynccontextmanager
async def a_shop() -> AsyncIterator[tuple[WooCommerceSimulator, httpx.AsyncClient]]:
    """A simulated shop with two products, and its owner's client."""
    port = free_port()
    simulator = WooCommerceSimulator(source=f"http://127.0.0.1:{port}/")
    simulator.stock(2, 100)
    server = uvicorn.Server(
        uvicorn.Config(
            simulator.app, host="127.0.0.1", port=port, log_config=None, access_log=False,
            lifespan="off", http="httptools", timeout_graceful_shutdown=1,
        )
    )  # fmt: skip
    task = asyncio.create_task(server._serve())

    async def is_up() -> bool:
        return server.started

    await until(is_up)
    try:
        async with httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", auth=(KEY, SECRET)
        ) as client:
            yield simulator, client
    finally:
        await simulator.webhooks.close()
        server.should_exit = True
        await task


async def test_orders_cancellations_and_refunds_of_the_simulated_shop_become_orders(
    bench: Bench,
) -> None:
    await bench.tell_listings(
        {"listing_id": "1", "sku": "SKU-1"}, {"listing_id": "2", "sku": "SKU-2"}
    )
    async with bench.process() as ingestion, a_shop() as (simulator, shop):
        for topic in ("order.created", "order.updated"):
            hook = {
                "topic": topic, "secret": builders.SECRET,
                "delivery_url": f"{ingestion.base_url}/v1/webhooks/woocommerce/{bench.woo}",
            }  # fmt: skip
            assert (await shop.post(f"{ROOT}/webhooks", json=hook)).status_code == 201
        lines = [{"product_id": 1, "quantity": 3}, {"product_id": 2, "quantity": 1}]
        placed = [
            (await shop.post(f"{ROOT}/orders", json={"line_items": lines})).json()["id"]
            for _ in range(3)
        ]
        await shop.put(f"{ROOT}/orders/{placed[1]}", json={"status": "cancelled"})
        await shop.put(f"{ROOT}/orders/{placed[2]}", json={"status": "completed"})

        told = await _told(bench, placed, {"confirmed", "cancelled", "closed"})
        hooks = list(simulator.webhooks.hooks.values())

    assert [told[f"{bench.woo}:{number}"]["state"] for number in placed] == [
        "confirmed", "cancelled", "closed",
    ]  # fmt: skip
    line = told[f"{bench.woo}:{placed[0]}"]["lines"][0]
    assert (line["sku"], line["listing"], line["quantity"]) == ("SKU-1", "1", 3)
    assert told[f"{bench.woo}:{placed[2]}"]["lines"][0]["shipped"] == 3
    assert [(hook.status, hook.failures) for hook in hooks] == [("active", 0)] * 2


async def test_a_shop_that_signs_with_another_secret_is_refused_until_its_hook_is_disabled(
    bench: Bench,
) -> None:
    async with bench.process() as ingestion, a_shop() as (simulator, shop):
        hook = {
            "topic": "order.created", "secret": builders.OTHER_SECRET,
            "delivery_url": f"{ingestion.base_url}/v1/webhooks/woocommerce/{bench.woo}",
        }  # fmt: skip
        await shop.post(f"{ROOT}/webhooks", json=hook)
        for _ in range(5):
            line = {"product_id": 1, "quantity": 1}
            await shop.post(f"{ROOT}/orders", json={"line_items": [line]})

        async def is_disabled() -> bool:
            return all(h.status == "disabled" for h in simulator.webhooks.hooks.values())

        await until(is_disabled)

    assert await bench.statuses() == {}


async def _told(bench: Bench, placed: list[int], states: set[str]) -> dict[str, dict[str, Any]]:
    """The latest state of each order, once all the states are there."""
    told: dict[str, dict[str, Any]] = {}

    async def are_there() -> bool:
        messages = await bench.orders(len(placed))
        ordered = sorted(messages, key=lambda m: (m.partition, m.offset))
        told.update({order["order_id"]: order for order in values(ordered)})
        return {order["state"] for order in told.values()} == states

    await until(are_there)
    return told
