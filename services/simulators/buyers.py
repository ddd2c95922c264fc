"""Buyers of a simulated shop: they look at what is shown, and order it over HTTP."""

import asyncio
import random
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Generic, Protocol, TypeVar

import aiohttp

PAGE: Final = 100
LOOK_SECONDS: Final = 2.0
QUANTITIES: Final = (1, 1, 1, 2)
# What a shop that is away, overloaded or talks nonsense makes of a call.
FAULTS: Final = (aiohttp.ClientError, TimeoutError, ValueError, KeyError, TypeError)
Shown = TypeVar("Shown")  # what a protocol orders by: an entry's number, an offer's SKU


@dataclass(slots=True)
class Tally:
    """What the buyers have met."""

    bought: int = 0
    refused: int = 0
    cancelled: int = 0
    failed: int = 0


class NoOrder(Enum):
    """Why there is no order."""

    REFUSED = auto()
    """Sold out: a fate of its own and no error, two buyers want the last one."""
    FAILED = auto()


class Counter(Protocol[Shown]):
    """Where buyers of one protocol stand. Its methods may raise what `FAULTS` lists."""

    async def look(self, session: aiohttp.ClientSession, rng: random.Random) -> list[Shown]:
        """One page of the catalogue, drawn at random: what shows stock."""
        ...

    async def order(
        self, session: aiohttp.ClientSession, wanted: Shown, quantity: int
    ) -> str | NoOrder:
        """The id of the order that the shop took, or why it took none."""
        ...

    async def cancel(self, session: aiohttp.ClientSession, order_id: str) -> bool:
        """Whether the shop let the order be cancelled."""
        ...


class Buyers(Generic[Shown]):
    """Orders at a rate, of what shows stock; some are cancelled again.

    Seeded: the same seed over the same shop makes the same choices.
    """

    def __init__(
        self,
        counter: Counter[Shown],
        *,
        orders_per_second: float,
        rng: random.Random,
        cancelled_share: float,
        timeout_seconds: float,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self._counter = counter
        self._per_second = orders_per_second
        self._rng = rng
        self._cancelled_share = cancelled_share
        self._timeout = aiohttp.ClientTimeout(total=timeout_seconds)
        self._headers = headers
        self.tally = Tally()

    async def run(self, closing: asyncio.Event) -> None:
        """Buy until told to stop."""
        async with aiohttp.ClientSession(timeout=self._timeout, headers=self._headers) as session:
            shown: list[Shown] = []
            loop = asyncio.get_running_loop()
            looked_at = 0.0
            while not closing.is_set():
                try:
                    if not shown or loop.time() - looked_at > LOOK_SECONDS:
                        shown, looked_at = await self._counter.look(session, self._rng), loop.time()
                    if shown:
                        await self._buy(session, self._rng.choice(shown))
                except FAULTS:
                    self.tally.failed += 1
                await _rest(closing, self._rng.expovariate(self._per_second))

    async def _buy(self, session: aiohttp.ClientSession, wanted: Shown) -> None:
        taken = await self._counter.order(session, wanted, self._rng.choice(QUANTITIES))
        if taken is NoOrder.REFUSED:
            self.tally.refused += 1
            return
        if isinstance(taken, NoOrder):
            self.tally.failed += 1
            return
        self.tally.bought += 1
        if self._rng.random() < self._cancelled_share:
            self.tally.cancelled += await self._counter.cancel(session, taken)


class WooBuyers(Buyers[int]):
    """Buyers of a WooCommerce shop: entries that show stock, over its REST interface."""

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
        super().__init__(
            _WooCounter(f"{url.rstrip('/')}/wp-json/wc/v3"),
            orders_per_second=orders_per_second, rng=rng, cancelled_share=cancelled_share,
            timeout_seconds=timeout_seconds,
            headers={"Authorization": aiohttp.encode_basic_auth(key, secret)},
        )  # fmt: skip


class _WooCounter:
    def __init__(self, root: str) -> None:
        self._root = root

    async def look(self, session: aiohttp.ClientSession, rng: random.Random) -> list[int]:
        query = {"per_page": str(PAGE), "_fields": "id,stock_status"}
        async with session.get(f"{self._root}/products", params=query) as response:
            pages = int(response.headers.get("X-WP-TotalPages", "1"))
        query["page"] = str(rng.randint(1, max(1, pages)))
        async with session.get(f"{self._root}/products", params=query) as response:
            entries = await response.json(content_type=None)
        return [e["id"] for e in entries if e.get("stock_status") == "instock"]

    async def order(
        self, session: aiohttp.ClientSession, wanted: int, quantity: int
    ) -> str | NoOrder:
        body = {"line_items": [{"product_id": wanted, "quantity": quantity}]}
        async with session.post(f"{self._root}/orders", json=body) as response:
            if response.status != 201:
                return NoOrder.REFUSED if response.status == 400 else NoOrder.FAILED
            return str((await response.json(content_type=None))["id"])

    async def cancel(self, session: aiohttp.ClientSession, order_id: str) -> bool:
        cancel = {"status": "cancelled"}
        async with session.put(f"{self._root}/orders/{order_id}", json=cancel) as response:
            return response.status == 200


async def _rest(closing: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(seconds):
            await closing.wait()
    except TimeoutError:
        return
