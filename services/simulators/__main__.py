"""`python -m services.simulators PROTOCOL --port 8090`: one simulated shop, until a signal."""

import argparse
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

import uvicorn
from starlette.types import ASGIApp

from services.simulators import mirakl, shopify, woocommerce


class Simulator(Protocol):
    """What can be served: an application, and a shelf that is filled beforehand."""

    app: ASGIApp

    def stock(self, count: int, quantity: int) -> None:
        """Put so many entries on the shelf, `quantity` units of each."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """The command line, and the shop's own address."""

    key: str | None
    secret: str | None
    source: str
    speed: float
    accepts: bool
    first_order: int = 1


def _woocommerce(told: Told) -> Simulator:
    """The key pair of the REST interface."""
    simulator = woocommerce.WooCommerceSimulator(
        key=told.key or woocommerce.KEY, secret=told.secret or woocommerce.SECRET,
        source=told.source,
    )  # fmt: skip
    simulator.shop.count_from(told.first_order)
    return simulator


def _shopify(told: Told) -> Simulator:
    """The access token of the app, and the secret that signs its webhooks."""
    domain = told.source.removeprefix("http://").rstrip("/")
    simulator = shopify.ShopifySimulator(
        token=told.key or shopify.TOKEN, secret=told.secret or shopify.SECRET, domain=domain
    )
    simulator.orders.count_from(told.first_order)
    return simulator


def _mirakl(told: Told) -> Simulator:
    """The API key of the shop; nothing is signed."""
    simulator = mirakl.MiraklSimulator(
        key=told.key or mirakl.KEY, speed=told.speed, accepts=told.accepts
    )
    simulator.marketplace.count_from(told.first_order)
    return simulator


# What each protocol makes of the command line.
PROTOCOLS: Mapping[str, Callable[[Told], Simulator]] = {
    "woocommerce": _woocommerce, "shopify": _shopify, "mirakl": _mirakl,
}  # fmt: skip


def main(arguments: list[str] | None = None) -> int:
    """Serve one simulator; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.simulators", description=__doc__)
    parser.add_argument("protocol", choices=PROTOCOLS)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--key", help="its access key or token")
    parser.add_argument("--secret", help="the secret beside the key, or of its webhooks")
    parser.add_argument("--products", type=int, default=0, help="products to start with")
    parser.add_argument("--quantity", type=int, default=0, help="units of each of them")
    parser.add_argument("--speed", type=float, default=1.0, help="mirakl: its waits divided by it")
    parser.add_argument("--accepts", action="store_true", help="mirakl: orders accept themselves")
    parser.add_argument("--first-order", type=int, default=1, help="orders are numbered from it")
    told = parser.parse_args(arguments)
    simulator = PROTOCOLS[told.protocol](
        Told(
            key=told.key, secret=told.secret, source=f"http://{told.host}:{told.port}/",
            speed=told.speed, accepts=told.accepts, first_order=told.first_order,
        )
    )  # fmt: skip
    simulator.stock(told.products, told.quantity)
    uvicorn.run(
        simulator.app, host=told.host, port=told.port, log_level="warning", access_log=False,
        http="httptools", loop="uvloop", lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
