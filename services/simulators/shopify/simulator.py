"""The whole simulated shop as one ASGI application."""

import time
from collections.abc import Callable

from starlette.applications import Starlette
from starlette.types import ASGIApp

from services.simulators.faults import Calls, Faults, Limit
from services.simulators.fronting import Front
from services.simulators.shopify.admin import ROOT, Admin
from services.simulators.shopify.control import ShopifyControl
from services.simulators.shopify.orders import Orders
from services.simulators.shopify.stock import Item, Level, Stock
from services.simulators.shopify.storefront import Storefront
from services.simulators.shopify.webhooks import Webhooks

TOKEN, SECRET = "shpat_simulated", "shpss_simulated_secret"
LOCATION = 81_001
# A variant is no inventory item: numbers apart show at once who takes one for the other.
VARIANTS_FROM = 40_000_000
VERSION = "2026-04"


class ShopifySimulator:
    """The shop behind its routes; `app` is the ASGI application.

    `calls` notes every quantity that was set, under the number of its inventory item.
    """

    def __init__(
        self,
        *,
        token: str = TOKEN,
        secret: str = SECRET,
        domain: str = "simulated.myshopify.example",
        locations: tuple[int, ...] = (LOCATION,),
        now_us: Callable[[], int] = lambda: time.time_ns() // 1000,
    ) -> None:
        self.stock_room = Stock(locations)
        self.orders = Orders(self.stock_room)
        self.calls, self.faults, self.limit = Calls(), Faults(), Limit()
        self.webhooks = Webhooks(secret=secret, domain=domain, version=VERSION)
        self.admin = Admin(
            self.stock_room, self.webhooks, token=token, faults=self.faults, limit=self.limit,
            calls=self.calls, new_id=self.orders.new_id, now_us=now_us,
        )  # fmt: skip
        control = ShopifyControl(
            self.faults, self.limit, self.calls, admin=self.admin, stock=self.stock_room,
            webhooks=self.webhooks,
        )  # fmt: skip
        storefront = Storefront(self.stock_room, self.orders, self.webhooks, now_us)
        routes = [*control.routes(), *self.admin.routes(), *storefront.routes()]
        self.app: ASGIApp = Front(
            Starlette(routes=routes), root=ROOT, faults=self.faults, calls=self.calls
        )

    def stock(self, count: int, quantity: int) -> None:
        """Put items 1 to `count` on the shelf of the first location, `quantity` units of each."""
        for number in range(1, count + 1):
            self.stock_room.add(
                Item(
                    id=number, variant_id=VARIANTS_FROM + number, sku=f"SKU-{number}",
                    levels={self.stock_room.locations[0]: Level(quantity)},
                )
            )  # fmt: skip

    def shown(self, item: int) -> int:
        """What the store-front shows of an inventory item."""
        return self.stock_room.items[item].shown
