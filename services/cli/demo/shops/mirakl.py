"""A simulated Mirakl marketplace: offers by our own SKU, orders to be polled, and a faster clock.

Its documented pace is one import and one list of orders a minute: the demo lets its clock run
`SPEED` times as fast, and says so.
"""

import random
from collections.abc import Iterable, Mapping
from typing import Any

import httpx

from services.cli.demo.shops import CALL_SECONDS, PROBE, Bought, Buyers, Call, CallLog, Orders
from services.cli.spawning import Child
from services.simulators.mirakl.buyers import MiraklBuyers
from shared.contracts.reference import Listing

KEY = "key-of-the-demo"
SPEED = 60.0
# A tenth more than the marketplace asks for, since calls do not arrive as evenly as they leave.
MINUTE_SECONDS = 60.0 / SPEED * 1.1
STATUS_SECONDS = 15.0 / SPEED * 1.1
OVERLAP_SECONDS = 30.0
# Publication keeps a channel for 9 s at a time: no call may outlive that.
CALL_SECONDS_MAX = 5.0
OVER = frozenset({"REFUSED", "CANCELED", "REFUNDED"})


class MiraklShop:
    """Our shop on a marketplace of its own port."""

    is_paced = True

    def __init__(self, channel: str, port: int, first_order: int = 1) -> None:
        self.channel = channel
        self.url = f"http://127.0.0.1:{port}"
        self._port = port
        self._first_order = first_order
        self._http = httpx.AsyncClient(base_url=self.url, timeout=CALL_SECONDS, trust_env=False)
        self._calls = CallLog(self._http)
        self._entries: dict[str, int] = {}

    def simulator(self) -> Child:
        """The process that plays it; its operator accepts orders by himself."""
        return Child(
            name=f"shop-{self.channel}", target="services.simulators", port=self._port,
            probe=PROBE,
            arguments=(
                "mirakl", "--port", str(self._port), "--first-order", str(self._first_order),
                "--key", KEY, "--speed", str(SPEED),
                "--accepts",
            ),
        )  # fmt: skip

    def publication(self) -> Mapping[str, object]:
        """Address, key, and the pace of the faster clock; nothing is held back."""
        return {
            "kind": "mirakl", "url": self.url, "api_key": KEY, "import_seconds": MINUTE_SECONDS,
            "status_seconds": STATUS_SECONDS, "report_seconds": MINUTE_SECONDS,
            "timeout_seconds": CALL_SECONDS_MAX, "hold_back": 0,
        }  # fmt: skip

    def webhooks(self) -> Mapping[str, object] | None:
        """It sends none."""
        return None

    def polling(self) -> Mapping[str, object] | None:
        """Address, key, and the pace of the faster clock."""
        return {
            "kind": "mirakl", "url": self.url, "api_key": KEY, "poll_seconds": MINUTE_SECONDS,
            "pace_seconds": MINUTE_SECONDS, "overlap_seconds": OVERLAP_SECONDS, "first_days": 1,
        }  # fmt: skip

    def listing(self, entry: int, sku: str) -> Listing:
        """An offer is named by our own SKU, in quantities and in orders."""
        del entry
        return Listing(
            kind="listing", channel=self.channel, listing_id=sku, sku=sku, ids={"offer_sku": sku}
        )

    def buyers(self, orders_per_second: float, rng: random.Random) -> Buyers:
        """Customers of its store-front."""
        return MiraklBuyers(url=self.url, orders_per_second=orders_per_second, rng=rng)

    async def close(self) -> None:
        """Drop the connections."""
        await self._http.aclose()

    async def fill(self, entries: Iterable[tuple[int, str, int]]) -> None:
        """Put (number, SKU, quantity) on sale; offers are numbered as they come."""
        told = sorted(entries)
        assert [number for number, _, _ in told] == list(range(1, len(told) + 1)), "from 1 on"
        self._entries = {sku: number for number, sku, _ in told}
        offers = [{"sku": sku, "quantity": quantity} for _, sku, quantity in told]
        (await self._http.put("/_control/offers", json={"offers": offers})).raise_for_status()

    async def subscribe(self, ingestion: str) -> None:
        """Nothing to subscribe to: its orders are polled."""

    async def new_calls(self) -> list[Call]:
        """The quantities that came since the last time this was asked."""
        return await self._calls.read_on()

    async def quantities(self) -> dict[int, int | None]:
        """What every entry shows."""
        shown: dict[int, int | None] = {}
        page, pages = 1, 1
        while page <= pages:
            answer = await self._http.get("/storefront/offers", params={"page": page})
            answer.raise_for_status()
            content = answer.json()
            pages = content["pages"]
            shown |= {self._entries[o["offer_sku"]]: o["quantity"] for o in content["offers"]}
            page += 1
        return shown

    async def set_quantity(self, entry: int, quantity: int) -> None:
        """Change a figure in the shop itself, as its own staff might."""
        sku = next(sku for sku, number in self._entries.items() if number == entry)
        offers = [{"sku": sku, "quantity": quantity}]
        (await self._http.put("/_control/offers", json={"offers": offers})).raise_for_status()

    async def orders(self) -> Orders:
        """Every order that it has accepted."""
        answer = await self._http.get("/_control/orders")
        answer.raise_for_status()
        found: list[dict[str, Any]] = answer.json()["orders"]  # JSON of a third party
        return {
            f"{self.channel}:{order['order_id']}": {
                line["order_line_id"]: Bought(self._entries[line["offer_sku"]], _wanted(line))
                for line in order["order_lines"]
            }
            for order in found
        }


def _wanted(line: Mapping[str, Any]) -> int:
    if line["order_line_state"] in OVER:
        return 0
    taken = sum(int(refund["quantity"]) for refund in line["refunds"])
    return int(line["quantity"]) - taken
