"""Buyers of a simulated Shopify shop: they look at what is shown, and order it over HTTP."""

import asyncio
import random

import aiohttp

from services.simulators.buyers import LOOK_SECONDS, PAGE, Tally


class ShopifyBuyers:
    """Orders at a rate, of variants that show stock; some are cancelled again.

    Seeded, as `WooBuyers` are; a refusal ("sold out") is a fate of its own and no error.
    """

    def __init__(
        self,
        *,
        url: str,
        orders_per_second: float,
        rng: random.Random,
        cancelled_share: float = 0.05,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._root = f"{url.rstrip('/')}/storefront"
        self._per_second = orders_per_second
        self._rng = rng
        self._cancelled_share = cancelled_share
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._pages = 1
        self.tally = Tally()

    async def run(self, closing: asyncio.Event) -> None:
        """Buy until told to stop."""
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            shown: list[int] = []
            loop = asyncio.get_running_loop()
            looked_at = 0.0
            while not closing.is_set():
                try:
                    if not shown or loop.time() - looked_at > LOOK_SECONDS:
                        shown, looked_at = await self._look(session), loop.time()
                    if shown:
                        await self._buy(session, self._rng.choice(shown))
                except (aiohttp.ClientError, TimeoutError, ValueError):
                    self.tally.failed += 1
                await _rest(closing, self._rng.expovariate(self._per_second))

    async def _look(self, session: aiohttp.ClientSession) -> list[int]:
        """One page of the catalogue, drawn at random: the variants that show stock."""
        query = {"per_page": str(PAGE), "page": str(self._rng.randint(1, self._pages))}
        async with session.get(f"{self._root}/products", params=query) as response:
            found = await response.json()
        self._pages = max(1, found["pages"])
        return [one["variant_id"] for one in found["products"] if one["in_stock"]]

    async def _buy(self, session: aiohttp.ClientSession, variant: int) -> None:
        quantity = self._rng.choice((1, 1, 1, 2))
        body = {"line_items": [{"variant_id": variant, "quantity": quantity}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status == 422:
                self.tally.refused += 1
                return
            if response.status != 201:
                self.tally.failed += 1
                return
            order = (await response.json())["order"]
        self.tally.bought += 1
        if self._rng.random() < self._cancelled_share:
            cancel = f"{self._root}/orders/{order['id']}/cancel"
            async with session.post(cancel, json={"reason": "customer"}) as response:
                self.tally.cancelled += response.status == 200


async def _rest(closing: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return
