"""Customers of a simulated marketplace: they look at what its store-front shows, and order it."""

import asyncio
import random

import aiohttp

from services.simulators.buyers import LOOK_SECONDS, Tally


class MiraklBuyers:
    """Orders at a rate, of offers that show stock; some are cancelled again.

    Seeded: the same seed over the same store-front makes the same choices. A refusal ("sold out")
    is a fate of its own and no error: two customers want the last one.
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
        self._gap = 1.0 / orders_per_second
        self._rng = rng
        self._cancelled_share = cancelled_share
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self.tally = Tally()

    async def run(self, closing: asyncio.Event) -> None:
        """Buy until told to stop."""
        async with aiohttp.ClientSession(timeout=self._timeout) as session:
            shown: list[str] = []
            loop = asyncio.get_running_loop()
            looked_at = 0.0
            while not closing.is_set():
                try:
                    if not shown or loop.time() - looked_at > LOOK_SECONDS:
                        shown, looked_at = await self._look(session), loop.time()
                    if shown:
                        await self._buy(session, self._rng.choice(shown))
                except (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError):
                    self.tally.failed += 1
                await _rest(closing, self._rng.expovariate(1.0 / self._gap))

    async def _look(self, session: aiohttp.ClientSession) -> list[str]:
        """One page of the store-front, drawn at random: the offers that show stock."""
        async with session.get(f"{self._root}/offers") as response:
            pages = (await response.json(content_type=None))["pages"]
        page = str(self._rng.randint(1, max(1, pages)))
        async with session.get(f"{self._root}/offers", params={"page": page}) as response:
            offers = (await response.json(content_type=None))["offers"]
        return [offer["offer_sku"] for offer in offers if offer["quantity"] > 0]

    async def _buy(self, session: aiohttp.ClientSession, sku: str) -> None:
        body = {"lines": [{"offer_sku": sku, "quantity": self._rng.choice((1, 1, 1, 2))}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status == 409:
                self.tally.refused += 1
                return
            if response.status != 201:
                self.tally.failed += 1
                return
            order = await response.json(content_type=None)
        self.tally.bought += 1
        if self._rng.random() < self._cancelled_share:
            url = f"{self._root}/orders/{order['order_id']}/cancel"
            async with session.put(url) as response:
                self.tally.cancelled += response.status == 200


async def _rest(closing: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return
