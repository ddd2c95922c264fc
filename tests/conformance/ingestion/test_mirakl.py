"""Ingestion polls the simulated marketplace over real HTTP, within its frequency contract."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from services.ingestion.channels import Declined, MarketplaceAway
from services.ingestion.channels.mirakl_seller import MiraklSeller
from services.simulators.mirakl import KEY, SHOP_ID, MiraklSimulator
from shared.contracts.topics import ORDERS
from shared.kafka.producing import open_producer, send_all
from shared.testing.servers import unique_name
from shared.testing.waiting import until
from tests.conformance.publication.stage import serving
from tests.integration.ingestion.bench import (
    Bench,
    a_listing_message,
    free_port,
    read_topic,
    values,
)
from tests.unit.ingestion.builders import a_woo_order

SPEED = 300.0  # a minute of the marketplace is a fifth of a second
LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Marketplace:
    """A marketplace with two offers of 100 units, under a channel of the test's own."""

    def __init__(self, url: str, simulator: MiraklSimulator, bench: Bench) -> None:
        self.url, self.simulator, self.bench = url, simulator, bench
        self.channel = unique_name("mirakl")
        self.configure()

    def configure(self, **overrides: Any) -> None:
        """What the next process of ingestion is told of it."""
        told = {
            "kind": "mirakl", "url": self.url, "api_key": KEY, "shop_id": SHOP_ID,
            "poll_seconds": 0.4, "pace_seconds": 0.2, "page_size": 2, "accepts": True,
        } | overrides  # fmt: skip
        self.bench.monkeypatch.setenv(
            "STOCKTIDE_INGESTION_MARKETPLACES", json.dumps({self.channel: told})
        )

    async def tell_listings(self, *skus: str) -> None:
        """Our SKUs for its offers, which are called the same."""
        producer = await open_producer(self.bench.kafka)
        records = [
            a_listing_message({"channel": self.channel, "listing_id": sku, "sku": f"OUR-{sku}"})
            for sku in skus
        ]
        try:
            await send_all(producer, records)
        finally:
            await producer.stop()

    async def buy(self, sku: str, quantity: int) -> str:
        """A customer's order."""
        async with httpx.AsyncClient(base_url=self.url) as store:
            line = {"offer_sku": sku, "quantity": quantity}
            answer = await store.post("/storefront/orders", json={"lines": [line]})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["order_id"])

    async def told(self, states: dict[str, str]) -> dict[str, dict[str, Any]]:
        """The latest state of each order on Kafka, once they are these."""
        found: dict[str, dict[str, Any]] = {}
        prefix = f"{self.channel}:"

        async def are_there() -> bool:
            messages = await read_topic(
                self.bench.kafka, ORDERS.name, len(states),
                lambda m: m.key.startswith(prefix.encode()),
            )  # fmt: skip
            ordered = sorted(messages, key=lambda m: (m.partition, m.offset))
            found.update({o["order_id"].removeprefix(prefix): o for o in values(ordered)})
            return {name: order["state"] for name, order in found.items()} == states

        await until(are_there)
        return found


@asynccontextmanager
async def a_marketplace(bench: Bench) -> AsyncIterator[Marketplace]:
    simulator = MiraklSimulator(speed=SPEED)
    simulator.stock(2, 100)
    async with serving(simulator.app) as url:
        yield Marketplace(url, simulator, bench)


@pytest.mark.usefixtures("topics")
async def test_orders_are_accepted_and_their_ends_become_orders_of_ours(bench: Bench) -> None:
    async with a_marketplace(bench) as marketplace:
        await marketplace.tell_listings("SKU-1", "SKU-2")
        names = [await marketplace.buy("SKU-1", 3) for _ in range(5)]
        async with bench.process() as ingestion:
            await marketplace.told(dict.fromkeys(names, "confirmed"))
            shop, now = marketplace.simulator.marketplace, marketplace.simulator._now_us()
            shop.cancel(shop.orders[names[0]], now)
            shop.ship(shop.orders[names[1]], now)
            shop.refund(f"{names[2]}-1", 1, now)
            told = await marketplace.told(
                dict.fromkeys(names, "confirmed") | {names[0]: "cancelled", names[1]: "closed"}
            )

            async def is_refunded() -> bool:
                order = (await marketplace.told({n: o["state"] for n, o in told.items()}))[names[2]]
                return bool(order["lines"][0]["cancelled"] == 1)

            await until(is_refunded)
            listed = (await ingestion.get("/v1/marketplaces")).json()["marketplaces"]

    line = told[names[1]]["lines"][0]
    assert (line["sku"], line["listing"], line["quantity"], line["shipped"]) == (
        "OUR-SKU-1", "SKU-1", 3, 3,
    )  # fmt: skip
    assert told[names[1]]["zone"] == "FR-75"
    everything = await bench.everything()
    assert [
        w for w in ("First", "Simulated Street", "mail.example", "+331") if w in everything
    ] == []
    assert marketplace.simulator.frequencies.counts == {}
    assert (listed[0]["channel"], listed[0]["problem"]) == (marketplace.channel, None)


@pytest.mark.usefixtures("topics")
async def test_orders_of_an_outage_of_kafka_are_there_when_it_is_back(bench: Bench) -> None:
    async with a_marketplace(bench) as marketplace:
        await marketplace.tell_listings("SKU-1")
        names = [await marketplace.buy("SKU-1", 1) for _ in range(3)]
        marketplace.configure(accepts=False)
        async with bench.process(kafka=f"127.0.0.1:{free_port()}"):
            await bench.has(waiting=3)
        async with bench.process():
            told = await marketplace.told(dict.fromkeys(names, "pending_acceptance"))

    assert len(told) == 3


@pytest.mark.usefixtures("topics")
@pytest.mark.parametrize("kind", ["error", "throttle", "nonsense", "unavailable"])
async def test_a_marketplace_that_fails_stops_no_shop_and_is_told_of(
    bench: Bench, kind: str
) -> None:
    async with a_marketplace(bench) as marketplace:
        await marketplace.buy("SKU-1", 1)
        marketplace.simulator.faults.set([{"kind": kind, "seconds": 1}])
        async with bench.process() as ingestion:

            async def is_told() -> bool:
                listed = (await ingestion.get("/v1/marketplaces")).json()["marketplaces"]
                return bool(listed and listed[0]["problem"])

            await until(is_told)
            delivered = await bench.deliver(ingestion, a_woo_order())
            live = await ingestion.get("/livez")
            marketplace.simulator.faults.set([])
            await bench.has(waiting=2)

    assert delivered.json() == {"fate": "stored"}
    assert live.status_code == 200


async def test_what_the_marketplace_answers_is_taken_apart() -> None:
    simulator = MiraklSimulator()
    simulator.stock(1, 100)
    for _ in range(3):
        simulator.marketplace.place([("SKU-1", 1)], simulator._now_us())
    async with serving(simulator.app) as url:
        ours = MiraklSeller(url=url, api_key=KEY, page_size=2, timeout_seconds=1)
        stranger = MiraklSeller(url=url, api_key="x")
        elsewhere = MiraklSeller(url=url, api_key=KEY, shop_id=SHOP_ID + 1)
        nobody_there = MiraklSeller(url="http://127.0.0.1:9", api_key=KEY)
        try:
            pages = [await ours.orders(LONG_AGO, offset) for offset in (0, 2)]
            with pytest.raises(MarketplaceAway, match="HTTP 429"):
                await ours.orders(LONG_AGO, 0)
            with pytest.raises(MarketplaceAway, match="HTTP 401"):
                await stranger.orders(LONG_AGO, 0)
            with pytest.raises(MarketplaceAway, match="HTTP 403"):
                await elsewhere.orders(LONG_AGO, 0)
            with pytest.raises(MarketplaceAway, match="Connector"):
                await nobody_there.orders(LONG_AGO, 0)
            simulator.faults.set([{"kind": "hang", "seconds": 3, "calls": 1}])
            with pytest.raises(MarketplaceAway, match="Timeout"):
                await ours.orders(LONG_AGO, 0)
            await ours.accept("SIM_000001-A", ["SIM_000001-A-1"])
            with pytest.raises(Declined, match="ORDER_INVALID_STATE"):
                await ours.accept("SIM_000001-A", ["SIM_000001-A-1"])
            with pytest.raises(Declined, match="ORDER_NOT_FOUND"):
                await ours.accept("SIM 000009-Ä", [])
            with pytest.raises(Declined, match="HTTP 404"):
                await ours.accept("../orders/SIM_000002-A", ["SIM_000002-A-1"])
            simulator.faults.set([{"kind": "throttle", "seconds": 9, "calls": 1}])
            with pytest.raises(MarketplaceAway) as throttled:
                await ours.accept("SIM_000002-A", ["SIM_000002-A-1"])
        finally:
            for seller in (ours, stranger, elsewhere, nobody_there):
                await seller.close()

    assert [(len(page.orders), page.total) for page in pages] == [(2, 3), (1, 3)]
    assert pages[0].at is not None
    assert throttled.value.retry_after_seconds == 9
