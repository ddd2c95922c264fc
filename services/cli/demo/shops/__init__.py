"""The demo's shops as seen over HTTP: filled, bought from, asked for their calls and orders.

One module per protocol; `services/cli/demo/market.py` is the table of those that take part.
"""

import asyncio
import random
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

import httpx

from services.cli.spawning import Child
from services.simulators.buyers import Tally
from shared.contracts.reference import Listing

PROBE = "/_control/health"
CALLS_A_READ = 20_000
CALL_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Call:
    """One quantity that a shop was told."""

    arrived_us: int
    entry: int
    value: int


@dataclass(frozen=True, slots=True)
class Bought:
    """A line of an order as its shop has it: units that the customer still wants."""

    entry: int
    wanted: int


Orders = Mapping[str, Mapping[str, Bought]]  # our order id → the line's id → what was bought


class Buyers(Protocol):
    """Customers who look at what a shop shows and order it over the shop's own HTTP."""

    tally: Tally

    async def run(self, closing: asyncio.Event) -> None:
        """Buy until told to stop."""
        ...


class Shop(Protocol):
    """One simulated shop. What asks it raises httpx.HTTPError when it doesn't answer.

    Entries are numbered from 1, the same number in every shop for the same SKU.
    """

    @property
    def channel(self) -> str: ...
    @property
    def is_paced(self) -> bool:
        """Its protocol waits between two calls, so that its propagation is not compared."""
        ...

    def simulator(self) -> Child:
        """The process that plays it."""
        ...

    def publication(self) -> Mapping[str, object]:
        """What publication must be told to reach it."""
        ...

    def webhooks(self) -> Mapping[str, object] | None:
        """What ingestion must be told to take its webhooks; None where it sends none."""
        ...

    def polling(self) -> Mapping[str, object] | None:
        """What ingestion must be told to ask for its orders; None where it sends webhooks."""
        ...

    def listing(self, entry: int, sku: str) -> Listing:
        """The record of an entry."""
        ...

    def buyers(self, orders_per_second: float, rng: random.Random) -> Buyers:
        """Customers of its own."""
        ...

    async def fill(self, entries: Iterable[tuple[int, str, int]]) -> None:
        """Put (number, SKU, quantity) on sale."""
        ...

    async def subscribe(self, ingestion: str) -> None:
        """Have it send its webhooks to ingestion at this address."""
        ...

    async def new_calls(self) -> list[Call]:
        """The quantities that came since the last time this was asked."""
        ...

    async def quantities(self) -> dict[int, int | None]:
        """What every entry shows."""
        ...

    async def set_quantity(self, entry: int, quantity: int) -> None:
        """Change a figure in the shop itself, as its own staff might."""
        ...

    async def orders(self) -> Orders:
        """Every order that it has accepted."""
        ...

    async def close(self) -> None:
        """Drop the connections."""
        ...


class CallLog:
    """Reads a simulator's log of the quantities it was told, each once."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self._cursor = 0

    async def read_on(self) -> list[Call]:
        """What came since the last time."""
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
