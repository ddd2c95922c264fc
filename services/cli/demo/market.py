"""The market: which shops take part, what the services are told of them, and their customers."""

import asyncio
import json
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from services.cli.demo.shops import Buyers, Shop
from services.cli.demo.shops.mirakl import MiraklShop
from services.cli.demo.shops.shopify import ShopifyShop
from services.cli.demo.shops.woocommerce import WooShop
from services.cli.stack import ports_for

# Channel → its kind of shop and the port that it would like.
SHOPS: Final[Mapping[str, tuple[Callable[[str, int, int], Shop], int]]] = {
    "shopify": (ShopifyShop, 8790),
    "woocommerce": (WooShop, 8791),
    "mirakl": (MiraklShop, 8792),
}
ORDERS_PER_SECOND = 1.5
SEED = 2017


def make_shops(channels: Sequence[str] = tuple(SHOPS), first_order: int = 1) -> dict[str, Shop]:
    """The named shops, each on a free port; they number their orders from `first_order` on.

    Raises CommandError when there are no free ports.
    """
    ports = ports_for({channel: SHOPS[channel][1] for channel in channels})
    return {
        channel: SHOPS[channel][0](channel, ports[channel], first_order) for channel in channels
    }


def environment_of(shops: Mapping[str, Shop]) -> dict[str, str]:
    """What publication and ingestion must be told of the shops."""
    told = {
        "STOCKTIDE_PUBLICATION_CHANNELS": {n: shop.publication() for n, shop in shops.items()},
        "STOCKTIDE_INGESTION_SHOPS": {n: w for n, shop in shops.items() if (w := shop.webhooks())},
        "STOCKTIDE_INGESTION_MARKETPLACES": {
            n: p for n, shop in shops.items() if (p := shop.polling())
        },
    }
    return {name: json.dumps(value) for name, value in told.items()}


class Crowd:
    """The customers of every shop, each shop's in a task of its own."""

    def __init__(self, shops: Mapping[str, Shop], orders_per_second: float) -> None:
        self._buyers: dict[str, Buyers] = {
            channel: shop.buyers(orders_per_second, random.Random(f"{SEED}/{channel}"))  # noqa: S311  (choices of a demo are no secrets)
            for channel, shop in shops.items()
        }
        self._closing = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Open the doors."""
        self._tasks = [asyncio.create_task(b.run(self._closing)) for b in self._buyers.values()]

    async def stop(self) -> None:
        """Whoever is buying ends it; nobody else comes. Raises what ended a customer's task."""
        self._closing.set()
        await asyncio.gather(*self._tasks)

    def bought(self) -> dict[str, int]:
        """Orders by channel that a shop has accepted."""
        return {channel: buyers.tally.bought for channel, buyers in self._buyers.items()}

    @property
    def refused(self) -> int:
        """Orders that a shop refused: sold out there."""
        return sum(buyers.tally.refused for buyers in self._buyers.values())

    @property
    def failed(self) -> int:
        """Calls that a shop didn't answer as it should."""
        return sum(buyers.tally.failed for buyers in self._buyers.values())
