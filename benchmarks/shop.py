"""The simulated shop that P2 publishes to, steered and read through its control routes alone."""

import json
import urllib.request
from dataclasses import dataclass

from benchmarks.children import Service, free_port
from benchmarks.matching import Call

PAGE = 50_000
KEY, SECRET = "ck_benchmark", "cs_benchmark"


@dataclass(slots=True)
class Shop:
    """One WooCommerce simulator without a pace, with products 1 to `products`."""

    products: int
    port: int
    requests: int = 0
    _cursor: int = 0

    @classmethod
    def of(cls, products: int) -> "Shop":
        """A shop on a free port; nothing is started."""
        return cls(products, free_port())

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def service(self) -> Service:
        """The process that serves it."""
        return Service(
            name="simulator-woocommerce",
            command=[
                "-m", "services.cli.child", "services.simulators", "woocommerce",
                "--port", str(self.port), "--products", str(self.products),
                "--key", KEY, "--secret", SECRET,
            ],
            environment={},
            ready=f"{self.url}/_control/health",
        )  # fmt: skip

    def settings(self, channel: str) -> dict[str, str]:
        """What publication must be told of it."""
        told = {channel: {"kind": "woocommerce", "url": self.url, "key": KEY, "secret": SECRET}}
        return {"STOCKTIDE_PUBLICATION_CHANNELS": json.dumps(told)}

    def new_calls(self) -> list[Call]:
        """Every quantity written since the last time this was asked, in order of arrival."""
        found: list[Call] = []
        while True:
            query = f"{self.url}/_control/calls?after={self._cursor}&limit={PAGE}"
            with urllib.request.urlopen(query, timeout=10) as answer:
                page = json.load(answer)
            self._cursor, self.requests = page["next"], page["requests"]
            found += (Call(*row) for row in page["calls"])
            if len(page["calls"]) < PAGE:
                return found
