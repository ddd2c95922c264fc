"""The demo's shops as seen over HTTP: filled, read like a customer would, and asked for calls."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import httpx

from services.cli.supervisor import Child

KEY, SECRET = "ck_demo", "cs_demo"
PROBE = "/_control/health"

ENTRIES_A_CALL = 100
CALLS_A_READ = 20_000
CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """One quantity that the shop was told."""

    arrived_us: int
    entry: int
    value: int


class Shop:
    """One simulated WooCommerce shop. Raises httpx.HTTPError when it does not answer."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._http = httpx.AsyncClient(
            base_url=url, auth=(KEY, SECRET), timeout=CALL_SECONDS, trust_env=False
        )
        self._cursor = 0

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def fill(self, entries: Iterable[tuple[int, str, int]]) -> None:
        """Put (number, SKU, quantity) on sale."""
        told = [
            {"id": number, "sku": sku, "manage_stock": True, "stock_quantity": quantity}
            for number, sku, quantity in entries
        ]
        for start in range(0, len(told), ENTRIES_A_CALL):
            answer = await self._http.post(
                "/wp-json/wc/v3/products/batch",
                json={"create": told[start : start + ENTRIES_A_CALL]},
            )
            answer.raise_for_status()

    async def new_calls(self) -> list[Call]:
        """The quantities that came since the last time this was asked."""
        found: list[Call] = []
        while True:
            answer = await self._http.get(
                "/_control/calls", params={"after": self._cursor, "limit": CALLS_A_READ}
            )
            answer.raise_for_status()
            content = answer.json()
            self._cursor = content["next"]
            found += [Call(*row) for row in content["calls"]]
            if len(content["calls"]) < CALLS_A_READ:
                return found

    async def quantities(self) -> dict[int, int | None]:
        """What every entry shows."""
        shown: dict[int, int | None] = {}
        page = 1
        while True:
            answer = await self._http.get(
                "/wp-json/wc/v3/products", params={"per_page": ENTRIES_A_CALL, "page": page}
            )
            answer.raise_for_status()
            entries = answer.json()
            shown |= {entry["id"]: entry["stock_quantity"] for entry in entries}
            if len(entries) < ENTRIES_A_CALL:
                return shown
            page += 1

    async def set_quantity(self, entry: int, quantity: int) -> None:
        """Change a figure in the shop itself, as its own staff might."""
        answer = await self._http.put(
            f"/wp-json/wc/v3/products/{entry}", json={"stock_quantity": quantity}
        )
        answer.raise_for_status()


def simulator(channel: str, port: int) -> Child:
    """The process that plays the shop of a channel."""
    return Child(
        name=f"shop-{channel}", target="services.simulators", port=port, probe=PROBE,
        arguments=("woocommerce", "--port", str(port), "--key", KEY, "--secret", SECRET),
    )  # fmt: skip


def publication_settings(urls: Mapping[str, str]) -> dict[str, str]:
    """What publication must be told to reach the shops."""
    channels = {
        name: {"kind": "woocommerce", "url": url, "key": KEY, "secret": SECRET}
        for name, url in urls.items()
    }
    return {"STOCKTIDE_PUBLICATION_CHANNELS": json.dumps(channels)}
