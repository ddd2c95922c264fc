"""What polling is tested on: a marketplace that a test moves, and processes over one database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from services.ingestion.channels import Declined, MarketplaceAway, Page
from services.ingestion.channels.mirakl import MIRAKL
from services.ingestion.domain.allowing import Json
from services.ingestion.handlers.folding import Folding
from services.ingestion.handlers.polling import Polling, PollOptions
from services.ingestion.repository.polls import Polls
from shared.runtime.clock import ManualClock
from tests.integration.ingestion.bench import Bench
from tests.unit.ingestion.builders import CHANNEL, KEY
from tests.unit.ingestion.test_mirakl import an_order

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OVERLAP = 300.0


@dataclass
class FakeMarketplace:
    """Orders as OR11 lists them: updated since, by creation; `at` is its clock, None if silent."""

    clock: ManualClock
    page_size: int = 2
    offset_of_clock: float = 0.0
    offset_of_date: float = 0.0
    says_the_time: bool = True
    rows: dict[str, dict[str, Any]] = field(default_factory=dict)
    asked: list[tuple[datetime, int]] = field(default_factory=list)
    accepted: list[tuple[str, list[str]]] = field(default_factory=list)
    away: MarketplaceAway | None = None
    declines: bool = False

    def now(self) -> datetime:
        return self.clock.now() + timedelta(seconds=self.offset_of_clock)

    def change(self, name: str, **overrides: Any) -> None:
        """A new order, or a change of it, now."""
        before = self.rows.get(name, {"created_date": self.now().isoformat()})
        told = an_order(order_id=name, last_updated_date=self.now().isoformat(), **overrides)
        self.rows[name] = told | {"created_date": before["created_date"]}

    async def orders(self, since: datetime, offset: int) -> Page:
        self.asked.append((since, offset))
        if self.away is not None:
            raise self.away
        found = [
            row for row in self.rows.values()
            if datetime.fromisoformat(row["last_updated_date"]) >= since
        ]  # fmt: skip
        found.sort(key=lambda row: (row["created_date"], row["order_id"]))
        page: list[Json] = list(found[offset : offset + self.page_size])
        date = self.now() + timedelta(seconds=self.offset_of_date)
        return Page(orders=page, total=len(found), at=date if self.says_the_time else None)

    async def accept(self, order_id: str, line_ids: Sequence[str]) -> None:
        if self.away is not None:
            raise self.away
        self.accepted.append((order_id, list(line_ids)))
        if self.declines:
            raise Declined("HTTP 400: ORDER_INVALID_STATE")


@dataclass(kw_only=True)
class Poller:
    """Processes that poll one marketplace, over one database."""

    bench: Bench
    clock: ManualClock
    shop: FakeMarketplace
    closing: asyncio.Event = field(default_factory=asyncio.Event)

    def process(self, owner: str = "one", **overrides: Any) -> Polling:
        options = PollOptions(
            **{"poll_seconds": 60.0, "overlap_seconds": OVERLAP, "first_days": 30,
               "lease_seconds": 30.0, **overrides}
        )  # fmt: skip
        return Polling(
            CHANNEL, MIRAKL, self.shop, Polls(self.bench.pool), self.clock, owner, options, KEY,
            woken=lambda: None,
        )  # fmt: skip

    async def due(self) -> None:
        """The database's clock has reached the next turn."""
        await self.bench.ask("update ingestion.polls set next_at = now()")

    async def turn(self, owner: str = "one", **overrides: Any) -> bool:
        await self.due()
        return await self.process(owner, **overrides).take_turn(self.closing)

    async def kept(self) -> list[str]:
        """Every row of the inbox, in order: the order and when it was updated."""
        rows = await self.bench.ask(
            "select payload->'order'->>'order_id' as name from ingestion.inbox order by inbox_id"
        )
        return [row["name"] for row in rows]

    async def state(self) -> dict[str, Any]:
        (row,) = await self.bench.ask("select * from ingestion.polls")
        return row

    async def fold(self) -> None:
        folding = Folding(
            self.bench.pool, {"mirakl": MIRAKL}, self.clock, asyncio.Event(), sweep_seconds=30,
            woken=lambda: None,
        )  # fmt: skip
        await folding.work_off()

    async def orders(self) -> dict[str, str]:
        rows = await self.bench.ask("select order_id, state->>'state' as s from ingestion.orders")
        return {row["order_id"].removeprefix(f"{CHANNEL}:"): row["s"] for row in rows}
