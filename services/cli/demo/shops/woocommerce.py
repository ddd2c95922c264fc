"""A simulated WooCommerce shop: products by their numbers, webhooks for orders."""

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from services.cli.demo.shops import CALL_SECONDS, PROBE, Bought, Buyers, Call, CallLog, Orders
from services.cli.spawning import Child
from services.simulators.buyers import WooBuyers
from shared.contracts.reference import Listing

KEY, SECRET = "ck_demo", "cs_demo"
ROOT = "/wp-json/wc/v3"
TOPICS = ("order.created", "order.updated")
# What a customer still gets; the rest was cancelled, has failed or was paid back.
ALIVE = frozenset({"processing", "on-hold", "completed"})
PAGE = 100


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order that the shop has accepted: its number, ours, and its lines' ids as ordered."""

    number: int
    order_id: str
    lines: Sequence[int]


class WooShop:
    """One shop on its own port."""

    is_paced = False

    def __init__(self, channel: str, port: int, first_order: int = 1) -> None:
        self.channel = channel
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._first_order = first_order
        self._webhook_secret = f"webhooks-of-{channel}"
        self._http = httpx.AsyncClient(
            base_url=self.url, auth=(KEY, SECRET), timeout=CALL_SECONDS, trust_env=False
        )
        self._calls = CallLog(self._http)

    def simulator(self) -> Child:
        """The process that plays it."""
        return Child(
            name=f"shop-{self.channel}", target="services.simulators", port=self._port,
            probe=PROBE,
            arguments=(
                "woocommerce", "--port", str(self._port), "--key", KEY, "--secret", SECRET,
                "--first-order", str(self._first_order),
            ),
        )  # fmt: skip

    def publication(self) -> Mapping[str, object]:
        """Address and key pair. Nothing is held back: the demo compares figures to the unit."""
        return {
            "kind": "woocommerce", "url": self.url, "key": KEY, "secret": SECRET, "hold_back": 0,
        }  # fmt: skip

    def webhooks(self) -> Mapping[str, object] | None:
        """The secret that signs them."""
        return {"kind": "woocommerce", "secrets": [self._webhook_secret]}

    def polling(self) -> Mapping[str, object] | None:
        """It sends webhooks."""
        return None

    def listing(self, entry: int, sku: str) -> Listing:
        """A product is named by its number."""
        return Listing(
            kind="listing", channel=self.channel, listing_id=str(entry), sku=sku,
            ids={"product_id": str(entry)},
        )  # fmt: skip

    def buyers(self, orders_per_second: float, rng: random.Random) -> Buyers:
        """Customers who order through the REST interface."""
        return WooBuyers(
            url=self.url, key=KEY, secret=SECRET, orders_per_second=orders_per_second, rng=rng
        )

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def fill(self, entries: Iterable[tuple[int, str, int]]) -> None:
        """Put (number, SKU, quantity) on sale."""
        told = [
            {"id": number, "sku": sku, "manage_stock": True, "stock_quantity": quantity}
            for number, sku, quantity in entries
        ]
        for start in range(0, len(told), PAGE):
            answer = await self._http.post(
                f"{ROOT}/products/batch", json={"create": told[start : start + PAGE]}
            )
            answer.raise_for_status()

    async def subscribe(self, ingestion: str) -> None:
        """One webhook a topic."""
        for topic in TOPICS:
            hook = {
                "topic": topic, "secret": self._webhook_secret,
                "delivery_url": f"{ingestion}/v1/webhooks/woocommerce/{self.channel}",
            }  # fmt: skip
            (await self._http.post(f"{ROOT}/webhooks", json=hook)).raise_for_status()

    async def buy(self, cart: Mapping[int, int]) -> Purchase | None:
        """A customer's order of units by entry, all of it or none; None where sold out."""
        return await self.order(list(cart.items()))

    async def order(self, wanted: Sequence[tuple[int, int]]) -> Purchase | None:
        """The same of (entry, units), where an entry may stand on several lines."""
        lines = [{"product_id": entry, "quantity": units} for entry, units in wanted]
        answer = await self._http.post(f"{ROOT}/orders", json={"line_items": lines})
        if answer.status_code == 400:
            return None
        answer.raise_for_status()
        order = answer.json()
        return Purchase(
            number=order["id"],
            order_id=f"{self.channel}:{order['id']}",
            lines=[line["id"] for line in order["line_items"]],
        )

    async def cancel(self, purchase: Purchase) -> None:
        """The customer doesn't want it any more."""
        answer = await self._http.put(
            f"{ROOT}/orders/{purchase.number}", json={"status": "cancelled"}
        )
        answer.raise_for_status()

    async def refund(self, purchase: Purchase, line: int, units: int) -> None:
        """The customer sends units of a line back. The shop doesn't put them on sale again by
        itself: they count when they have been looked at.
        """
        told = {"line_items": [{"id": line, "quantity": units}], "api_restock": False}
        answer = await self._http.post(f"{ROOT}/orders/{purchase.number}/refunds", json=told)
        answer.raise_for_status()

    async def shown(self, entries: Sequence[int]) -> dict[int, int]:
        """What these entries show."""
        found: dict[int, int] = {}
        for start in range(0, len(entries), PAGE):
            named = ",".join(map(str, entries[start : start + PAGE]))
            answer = await self._http.get(
                f"{ROOT}/products", params={"include": named, "per_page": PAGE}
            )
            answer.raise_for_status()
            found |= {entry["id"]: entry["stock_quantity"] or 0 for entry in answer.json()}
        return found

    async def new_calls(self) -> list[Call]:
        """The quantities that came since the last time this was asked."""
        return await self._calls.read_on()

    async def quantities(self) -> dict[int, int | None]:
        """What every entry shows."""
        return {entry["id"]: entry["stock_quantity"] for entry in await self._pages("products")}

    async def set_quantity(self, entry: int, quantity: int) -> None:
        """Change a figure in the shop itself, as its own staff might."""
        answer = await self._http.put(f"{ROOT}/products/{entry}", json={"stock_quantity": quantity})
        answer.raise_for_status()

    async def orders(self) -> Orders:
        """Every order that it has accepted."""
        return {
            f"{self.channel}:{order['id']}": {
                str(line["id"]): Bought(
                    line["product_id"], line["quantity"] if order["status"] in ALIVE else 0
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
            answer = await self._http.get(f"{ROOT}/{name}", params={"per_page": PAGE, "page": page})
            answer.raise_for_status()
            part = answer.json()
            found += part
            if len(part) < PAGE:
                return found
            page += 1
