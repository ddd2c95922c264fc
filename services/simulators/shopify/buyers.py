"""Buyers of a simulated Shopify shop: they look at what is shown, and order it over HTTP."""

import random

import aiohttp

from services.simulators.buyers import PAGE, Buyers, NoOrder


class ShopifyBuyers(Buyers[int]):
    """Buyers of a Shopify shop: variants that show stock, over its store-front."""

    def __init__(
        self,
        *,
        url: str,
        orders_per_second: float,
        rng: random.Random,
        cancelled_share: float = 0.05,
        timeout_seconds: float = 10.0,
    ) -> None:
        super().__init__(
            _ShopifyCounter(f"{url.rstrip('/')}/storefront"),
            orders_per_second=orders_per_second, rng=rng, cancelled_share=cancelled_share,
            timeout_seconds=timeout_seconds,
        )  # fmt: skip


class _ShopifyCounter:
    def __init__(self, root: str) -> None:
        self._root = root
        self._pages = 1

    async def look(self, session: aiohttp.ClientSession, rng: random.Random) -> list[int]:
        query = {"per_page": str(PAGE), "page": str(rng.randint(1, self._pages))}
        async with session.get(f"{self._root}/products", params=query) as response:
            found = await response.json()
        self._pages = max(1, found["pages"])
        return [one["variant_id"] for one in found["products"] if one["in_stock"]]

    async def order(
        self, session: aiohttp.ClientSession, wanted: int, quantity: int
    ) -> str | NoOrder:
        body = {"line_items": [{"variant_id": wanted, "quantity": quantity}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status != 201:
                return NoOrder.REFUSED if response.status == 422 else NoOrder.FAILED
            return str((await response.json())["order"]["id"])

    async def cancel(self, session: aiohttp.ClientSession, order_id: str) -> bool:
        reason = {"reason": "customer"}
        async with session.post(f"{self._root}/orders/{order_id}/cancel", json=reason) as response:
            return response.status == 200
