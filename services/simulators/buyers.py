"""Buyers of a simulated shop: they look at what is shown, and order it over HTTP."""

import asyncio
import random
from dataclasses import dataclass

import aiohttp

PAGE = 100
LOOK_SECONDS = 2.0


@dataclass(slots=True)
class Tally:
    """What the buyers have met."""

    bought: int = 0
    refused: int = 0
    cancelled: int = 0
    failed: int = 0


class WooBuyers:
    """Orders at a rate, of entries that show stock; some are cancelled again.

    Seeded: the same seed over the same shop makes the same choices. A refusal ("sold out") is a
    fate of its own and no error: two buyers want the last one.
    """

    def __init__(
        self,
        *,
        url: str,
        key: str,
        secret: str,
        orders_per_second: float,
        rng: random.Random,
        cancelled_share: float = 0.05,
        timeout_seconds: float = 10.0,
    ) -> None:
        self._root = f"{url.rstrip('/')}/wp-json/wc/v3"
        self._headers = {"Authorization": aiohttp.encode_basic_auth(key, secret)}
        self._gap = 1.0 / orders_per_second
        self._rng = rng
        self._cancelled_share = cancelled_share
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self.tally = Tally()

    async def run(self, closing: asyncio.Event) -> None:
        """Buy until told to stop."""
        async with aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session:
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
                await _rest(closing, self._rng.expovariate(1.0 / self._gap))

    async def _look(self, session: aiohttp.ClientSession) -> list[int]:
        """One page of the catalogue, drawn at random: the entries that show stock."""
        query = {"per_page": str(PAGE), "_fields": "id,stock_status"}
        async with session.get(f"{self._root}/products", params=query) as response:
            pages = int(response.headers.get("X-WP-TotalPages", "1"))
        query["page"] = str(self._rng.randint(1, max(1, pages)))
        async with session.get(f"{self._root}/products", params=query) as response:
            entries = await response.json(content_type=None)
        return [e["id"] for e in entries if e.get("stock_status") == "instock"]

    async def _buy(self, session: aiohttp.ClientSession, entry: int) -> None:
        quantity = self._rng.choice((1, 1, 1, 2))
        body = {"line_items": [{"product_id": entry, "quantity": quantity}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status == 400:
                self.tally.refused += 1
                return
            if response.status != 201:
                self.tally.failed += 1
                return
            order = await response.json(content_type=None)
        self.tally.bought += 1
        if self._rng.random() < self._cancelled_share:
            cancel = {"status": "cancelled"}
            async with session.put(f"{self._root}/orders/{order['id']}", json=cancel) as response:
                self.tally.cancelled += response.status == 200


async def _rest(closing: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return
