"""A simulated Shopify shop in process, and how a test speaks to it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import httpx

from services.simulators.shopify import TOKEN, ShopifySimulator
from services.simulators.shopify.simulator import LOCATION, VERSION
from services.simulators.shopify.stock import Item, Level, gid

SET = """mutation Set($input: InventorySetQuantitiesInput!, $key: String!) {
  inventorySetQuantities(input: $input) @idempotent(key: $key) {
    inventoryAdjustmentGroup { id reason changes { name delta quantityAfterChange } }
    userErrors { code field message }
  }
}"""
SET_WITHOUT_KEY = SET.replace(" @idempotent(key: $key)", "").replace(", $key: String!", "")
LEVELS = """query($ids: [ID!]!, $at: ID!) { nodes(ids: $ids) { ... on InventoryItem {
  id
  inventoryLevel(locationId: $at) { quantities(names: ["available", "on_hand"]) { name quantity } }
} } }"""
SUBSCRIBE = """mutation($topic: WebhookSubscriptionTopic!, $hook: WebhookSubscriptionInput!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: $hook) {
    webhookSubscription { id topic uri } userErrors { code field }
  }
}"""
ELSEWHERE = 81_002
BUNDLE, HERE_ONLY = 901, 902


class Clock:
    """Microseconds that a test moves on."""

    def __init__(self) -> None:
        self.now_us = 1_780_000_000_000_000

    def pass_seconds(self, seconds: float) -> None:
        self.now_us += round(seconds * 1e6)


def a_simulator(clock: Clock | None = None) -> ShopifySimulator:
    """300 items of 10 at the first of two locations, and a bundle's parent."""
    told: dict[str, Any] = {} if clock is None else {"now_us": lambda: clock.now_us}
    simulator = ShopifySimulator(locations=(LOCATION, ELSEWHERE), **told)
    simulator.stock(300, 10)
    bundle = Item(id=BUNDLE, variant_id=9_000_901, sku="BUNDLE", is_bundle=True)
    bundle.levels[LOCATION] = Level(0)
    simulator.stock_room.add(bundle)
    return simulator


class Client:
    """An app's client of the shop."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self.http = http

    async def ask(
        self, document: str, variables: Mapping[str, Any], version: str = VERSION
    ) -> httpx.Response:
        """One operation."""
        return await self.http.post(
            f"/admin/api/{version}/graphql.json",
            json={"query": document, "variables": variables},
            headers={"X-Shopify-Access-Token": TOKEN},
        )

    async def set(
        self,
        *entries: Mapping[str, Any],
        key: str | None = "k-1",
        version: str = VERSION,
        **fields: Any,
    ) -> Any:
        """`inventorySetQuantities`: the answer's JSON."""
        told = {
            "name": "available", "reason": "correction", "referenceDocumentUri": "test://1",
            "quantities": entries,
        }  # fmt: skip
        variables: dict[str, Any] = {"input": told | fields}
        if key is None:
            return (await self.ask(SET_WITHOUT_KEY, variables, version)).json()
        return (await self.ask(SET, variables | {"key": key}, version)).json()

    async def codes(self, *entries: Mapping[str, Any], **told: Any) -> list[str]:
        """The codes of its user errors."""
        answer = await self.set(*entries, **told)
        errors = answer["data"]["inventorySetQuantities"]["userErrors"]
        return [error["code"] for error in errors]


def an_entry(item: int = 1, quantity: object = 5, **fields: Any) -> dict[str, Any]:
    """One quantity, compared with nothing unless `changeFromQuantity` is given."""
    entry = {
        "inventoryItemId": gid("InventoryItem", item), "locationId": gid("Location", LOCATION),
        "quantity": quantity, "changeFromQuantity": None,
    }  # fmt: skip
    return entry | fields


@asynccontextmanager
async def a_client(simulator: ShopifySimulator) -> AsyncIterator[Client]:
    """A client without a network."""
    transport = httpx.ASGITransport(app=simulator.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://shop") as http:
        yield Client(http)
    await simulator.webhooks.close()
