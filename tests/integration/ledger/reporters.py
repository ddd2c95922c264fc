"""Several systems that tell of the same stock, and what the ledger makes of what they observe."""

from collections.abc import Mapping
from datetime import timedelta

from services.ledger.handlers.listening import compare, count_numbers
from services.ledger.repository.observations import LISTED, list_observations
from shared.contracts.topics import REFERENCE_DATA
from shared.testing.messages import a_message
from tests.integration.ledger.bench import LedgerBench

DAY = timedelta(days=1)


async def declare(ledger: LedgerBench, source: str, role: str = "observes", **more: object) -> None:
    """Reference data: this source exists."""
    record: Mapping[str, object] = {
        "kind": "source", "source_id": source, "source_kind": "shop", "role": role, **more,
    }  # fmt: skip
    topic = REFERENCE_DATA.name
    start = ledger.offsets.get(topic, 0)
    await ledger.tell(topic, [a_message(record, offset=start, topic=topic)])


async def look(ledger: LedgerBench) -> None:
    """Compare every observation now, whenever its time would come."""
    await ledger.ask(
        "update ledger.observations set look_at = now() where state <> 'withdrawn' returning 1"
    )
    async with ledger.pool.acquire() as connection:
        while await compare(connection, 50) == 50:
            pass


async def count_all(ledger: LedgerBench) -> None:
    """Work off the numbers that sources gave their messages."""
    async with ledger.pool.acquire() as connection:
        while await count_numbers(connection, 10):
            pass


async def observed(ledger: LedgerBench, overdue_after: timedelta = DAY) -> list[dict[str, object]]:
    """Every observation as people see it, whatever its state, after a look."""
    await look(ledger)
    async with ledger.pool.acquire() as connection:
        return [
            row
            for state in LISTED
            for row in await list_observations(
                connection, state, overdue_after=overdue_after, after=0, source=None, limit=1000
            )
        ]


async def states(ledger: LedgerBench) -> list[tuple[object, ...]]:
    """Source, state, matched by, difference; sorted."""
    found = [
        (row["source"], row["state"], row["matched_by"], row["difference"])
        for row in await observed(ledger)
    ]
    return sorted(found, key=str)
