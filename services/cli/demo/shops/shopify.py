"""A simulated Shopify shop: inventory items at one location, webhooks for orders and refunds."""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from services.cli.demo.shops import CALL_SECONDS, PROBE, Bought, Buyers, Call, CallLog, Orders
from services.cli.spawning import Child
from services.simulators.shopify.buyers import ShopifyBuyers
from services.simulators.shopify.simulator import LOCATION, VARIANTS_FROM
from shared.contracts.reference import Listing

TOKEN = "shpat_demo"  # noqa: S105  (the simulated shop's, made up for it)
VERSION = "2026-04"
TOPICS = ("ORDERS_CREATE", "ORDERS_UPDATED", "ORDERS_CANCELLED", "REFUNDS_CREATE")
SUBSCRIBE = """mutation Subscribe($topic: WebhookSubscriptionTopic!, $uri: String!) {
  webhookSubscriptionCreate(topic: $topic, webhookSubscription: {uri: $uri}) {
    userErrors { field message }
  }
}"""
PAGE = 250


class ShopifyShop:
    """One shop on its own port."""

    is_paced = False

    def __init__(self, channel: str, port: int, first_order: int = 1) -> None:
        self.channel = channel
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._first_order = first_order
        self._app_secret = f"app-secret-of-{channel}"
        self._http = httpx.AsyncClient(
            base_url=self.url, headers={"X-Shopify-Access-Token": TOKEN}, timeout=CALL_SECONDS,
            trust_env=False,
        )  # fmt: skip
        self._calls = CallLog(self._http)

    def simulator(self) -> Child:
        """The process that plays it."""
        return Child(
            name=f"shop-{self.channel}", target="services.simulators", port=self._port,
            probe=PROBE,
            arguments=(
                "shopify", "--port", str(self._port), "--first-order", str(self._first_order),
                "--key", TOKEN, "--secret", self._app_secret,
            ),
        )  # fmt: skip

    def publication(self) -> Mapping[str, object]:
        """Address, token and the location that is fed."""
        return {
            "kind": "shopify", "url": self.url, "access_token": TOKEN, "api_version": VERSION,
            "location_id": str(LOCATION),
        }  # fmt: skip

    def webhooks(self) -> Mapping[str, object] | None:
        """The app's secret signs them."""
        return {"kind": "shopify", "secrets": [self._app_secret]}

    def polling(self) -> Mapping[str, object] | None:
        """It sends webhooks."""
        return None

    def listing(self, entry: int, sku: str) -> Listing:
        """Orders name the variant, quantities the inventory item."""
        return Listing(
            kind="listing", channel=self.channel, listing_id=str(VARIANTS_FROM + entry), sku=sku,
            ids={"inventory_item_id": str(entry)},
        )  # fmt: skip

    def buyers(self, orders_per_second: float, rng: random.Random) -> Buyers:
        """Customers of its store-front."""
        return ShopifyBuyers(url=self.url, orders_per_second=orders_per_second, rng=rng)

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def fill(self, entries: Iterable[tuple[int, str, int]]) -> None:
        """Put (number, SKU, quantity) on sale, and give the app the budget of a large shop."""
        limits = await self._http.put("/_control/limits", json={"plan": "plus"})
        limits.raise_for_status()
        items = [
            {"id": number, "variant_id": VARIANTS_FROM + number, "sku": sku, "quantity": quantity}
            for number, sku, quantity in entries
        ]
        (await self._http.put("/_control/items", json={"items": items})).raise_for_status()

    async def subscribe(self, ingestion: str) -> None:
        """One subscription a topic. Raises RuntimeError when the shop refuses one."""
        uri = f"{ingestion}/v1/webhooks/shopify/{self.channel}"
        for topic in TOPICS:
            told = {"query": SUBSCRIBE, "variables": {"topic": topic, "uri": uri}}
            answer = await self._http.post(f"/admin/api/{VERSION}/graphql.json", json=told)
            answer.raise_for_status()
            content = answer.json()
            errors = (
                content.get("errors")
                or (content["data"]["webhookSubscriptionCreate"]["userErrors"])
            )
            if errors:
                raise RuntimeError(f"{self.channel} takes no subscription to {topic}: {errors}")

    async def new_calls(self) -> list[Call]:
        """The quantities that came since the last time this was asked."""
        return await self._calls.read_on()

    async def quantities(self) -> dict[int, int | None]:
        """What every entry shows."""
        return {one["inventory_item_id"]: one["available"] for one in await self._pages("products")}

    async def set_quantity(self, entry: int, quantity: int) -> None:
        """Change a figure in the shop itself, as its own staff might."""
        items = [
            {"id": one["inventory_item_id"], "variant_id": one["variant_id"], "sku": one["sku"],
             "quantity": quantity}
            for one in await self._pages("products")
            if one["inventory_item_id"] == entry
        ]  # fmt: skip
        (await self._http.put("/_control/items", json={"items": items})).raise_for_status()

    async def orders(self) -> Orders:
        """Every order that it has accepted."""
        return {
            f"{self.channel}:{order['id']}": {
                str(line["id"]): Bought(
                    line["variant_id"] - VARIANTS_FROM,
                    0 if order["cancelled_at"] else line["current_quantity"],
                )
                for line in order["line_items"]
            }
            for order in await self._pages("orders")
        }

    # JSON of a third party, whose fields are picked above.
    async def _pages(self, name: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        page = 1
        while True:
            query = {"page": page, "per_page": PAGE}
            answer = await self._http.get(f"/storefront/{name}", params=query)
            answer.raise_for_status()
            content = answer.json()
            found += content[name]
            if page >= content["pages"]:
                return found
            page += 1
