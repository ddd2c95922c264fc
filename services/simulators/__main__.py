"""`python -m services.simulators woocommerce --port 8090`: one simulated shop, until a signal."""

import argparse
import sys

import uvicorn

from services.simulators.woocommerce import KEY, SECRET, WooCommerceSimulator


def main(arguments: list[str] | None = None) -> int:
    """Serve one simulator; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m services.simulators", description=__doc__)
    parser.add_argument("protocol", choices=["woocommerce"])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8090)
    parser.add_argument("--key", default=KEY)
    parser.add_argument("--secret", default=SECRET)
    parser.add_argument("--products", type=int, default=0, help="products to start with")
    parser.add_argument("--quantity", type=int, default=0, help="units of each of them")
    told = parser.parse_args(arguments)
    source = f"http://{told.host}:{told.port}/"
    simulator = WooCommerceSimulator(key=told.key, secret=told.secret, source=source)
    simulator.stock(told.products, told.quantity)
    uvicorn.run(
        simulator.app, host=told.host, port=told.port, log_level="warning", access_log=False,
        http="httptools", loop="uvloop", lifespan="off", timeout_graceful_shutdown=2,
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
