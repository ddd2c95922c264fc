"""A counter where tests ask for holds: the real handler, and what a test needs to see of it."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal
from itertools import count

import httpx

from services.ledger import api
from services.ledger.domain.counting import Threshold
from services.ledger.handlers.expiring import Expiring
from services.ledger.handlers.holding import Holding
from services.ledger.handlers.reserving import Conflict
from services.ledger.repository.publishing import LedgerStates
from services.ledger.settings import LedgerSettings
from shared.contracts.holds import Hold, HoldLine, HoldRequest, Purpose
from shared.contracts.topics import REFERENCE_DATA
from shared.telemetry.health import Health
from shared.testing.messages import a_message, a_movement
from tests.integration.ledger.bench import LedgerBench

# Independent of the ledger's statements: what is open, summed, against each level's counter.
MISCOUNTED = """
select l.level_id, l.reserved, coalesce(sum(h.quantity - h.used), 0)::bigint as open
from ledger.levels l
left join ledger.holds h on h.level_id = l.level_id and h.settled_at is null
group by l.level_id having l.reserved <> coalesce(sum(h.quantity - h.used), 0)
"""


@dataclass(slots=True)
class Counter:
    """Asks a ledger for holds."""

    ledger: LedgerBench
    holding: Holding
    expiring: Expiring
    numbers: "count[int]" = field(default_factory=lambda: count(1))

    async def hold(self, *lines: HoldLine, hold_id: str | None = None, **more: object) -> Hold:
        """What became of a request; a cart of `web` unless said otherwise."""
        told = await self.ask(*lines, hold_id=hold_id, **more)
        assert isinstance(told, Hold), told
        return told

    async def ask(
        self, *lines: HoldLine, hold_id: str | None = None, **more: object
    ) -> Hold | Conflict:
        """The same, where a conflict is expected too."""
        request = HoldRequest.model_validate(
            {"purpose": Purpose.CART, "channel": "web", "lines": lines or (a_line(),), **more}
        )
        return await self.holding.reserve(hold_id or f"h{next(self.numbers)}", request)

    @asynccontextmanager
    async def http(self) -> AsyncIterator[httpx.AsyncClient]:
        """The api role over this counter."""
        ledger = self.ledger
        application = api.create(
            ledger.pool, ledger.handler, LedgerStates(ledger.pool), self.holding,
            Health("ledger-api"), overdue_after=timedelta(hours=24),
            recount=Threshold(10, Decimal(100)), transit_overdue_after=timedelta(minutes=30),
            supply_kept_for=timedelta(days=30),
        )  # fmt: skip
        transport = httpx.ASGITransport(app=application)
        async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as client:
            yield client

    async def refer(self, *records: Mapping[str, object]) -> None:
        """Reference data."""
        topic = REFERENCE_DATA.name
        start = self.ledger.offsets.get(topic, 0)
        await self.ledger.tell(
            topic, [a_message(r, offset=start + i, topic=topic) for i, r in enumerate(records)]
        )

    async def receive(self, quantity: int, sku: str = "S1", location: str = "L1") -> None:
        """Units come in."""
        await self.ledger.move(
            a_movement(type="receipt", sku=sku, location=location, quantity=quantity)
        )

    async def reserved(self, sku: str = "S1", location: str = "L1") -> int:
        """What the level's counter says."""
        return (await self.ledger.level(sku, location))["reserved"]

    async def miscounted(self) -> list[dict[str, object]]:
        """Levels whose counter isn't the sum of what is open: invariant 2 in its own SQL."""
        return await self.ledger.ask(MISCOUNTED)


def a_line(quantity: int = 1, sku: str = "S1", *locations: str, may_split: bool = True) -> HoldLine:
    """One line of a cart; from the channel's pool where no location is named."""
    return HoldLine(sku=sku, quantity=quantity, locations=locations, may_split=may_split)


def a_channel(
    name: str = "web", *pool: str, kind: str = "webshop", **more: object
) -> dict[str, object]:
    """A channel's record."""
    return {"kind": "channel", "channel": name, "channel_kind": kind, "pool": list(pool), **more}


def a_policy(term: str, value: int, **scope: object) -> dict[str, object]:
    """A policy whose id says what it sets."""
    name = "-".join([term, *map(str, scope.values())])
    return {
        "kind": "policy", "policy_id": name, "term": term, "value": value, "scope": scope,
    }  # fmt: skip


def units(hold: Hold) -> list[dict[str, int]]:
    """What each line holds, by location."""
    return [{held.location: held.quantity for held in line.held} for line in hold.lines]


def reasons(hold: Hold) -> list[tuple[str, int, int] | None]:
    """Why each line was refused, how many units of it, and what would have been possible."""
    return [
        None if (r := line.refused) is None else (r.reason.value, r.quantity, r.possible)
        for line in hold.lines
    ]


@asynccontextmanager
async def open_counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    """A counter over a ledger, with one process's collector running."""
    closing = asyncio.Event()
    holding = Holding(
        ledger.pool,
        ledger.clock,
        closing,
        woken=lambda: None,
        ttl_seconds=900.0,
        overdue_after=LedgerSettings().overdue_after,
    )
    expiring = Expiring(ledger.pool, ledger.clock, closing, woken=lambda: None)
    running = asyncio.create_task(holding.run())
    try:
        yield Counter(ledger=ledger, holding=holding, expiring=expiring)
    finally:
        closing.set()
        await running
