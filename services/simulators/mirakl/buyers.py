"""Customers of a simulated marketplace: they look at what its store-front shows, and order it."""

import random

import aiohttp

from services.simulators.buyers import Buyers, NoOrder


class MiraklBuyers(Buyers[str]):
    """Customers of a marketplace: offers that show stock, over its store-front."""

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
            _MiraklCounter(f"{url.rstrip('/')}/storefront"),
            orders_per_second=orders_per_second, rng=rng, cancelled_share=cancelled_share,
            timeout_seconds=timeout_seconds,
        )  # fmt: skip


class _MiraklCounter:
    def __init__(self, root: str) -> None:
        self._root = root

    async def look(self, session: aiohttp.ClientSession, rng: random.Random) -> list[str]:
        async with session.get(f"{self._root}/offers") as response:
            pages = (await response.json(content_type=None))["pages"]
        page = str(rng.randint(1, max(1, pages)))
        async with session.get(f"{self._root}/offers", params={"page": page}) as response:
            offers = (await response.json(content_type=None))["offers"]
        return [offer["offer_sku"] for offer in offers if offer["quantity"] > 0]

    async def order(
        self, session: aiohttp.ClientSession, wanted: str, quantity: int
    ) -> str | NoOrder:
        body = {"lines": [{"offer_sku": wanted, "quantity": quantity}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status != 201:
                return NoOrder.REFUSED if response.status == 409 else NoOrder.FAILED
            return str((await response.json(content_type=None))["order_id"])

    async def cancel(self, session: aiohttp.ClientSession, order_id: str) -> bool:
        async with session.put(f"{self._root}/orders/{order_id}/cancel") as response:
            return response.status == 200
