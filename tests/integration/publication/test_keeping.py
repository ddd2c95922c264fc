"""What is older than is kept goes, in slices; what is open or waits stays."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.publication.handlers import keeping
from shared.runtime.clock import SystemClock
from tests.conformance.publication.stage import CHANNEL, Stage, eventually

NOW = datetime(2026, 6, 1, tzinfo=UTC)
KEEP = timedelta(days=30)
OLD, NEW = NOW - timedelta(days=31), NOW - timedelta(days=29)

ATTEMPTS = """
insert into publication.attempts (listing_id, call_id, version, value, opened_at, deadline,
                                  closed_at, outcome)
select 1, gen_random_uuid(), n, 1, $2::timestamptz, $2, case when $3 then $2 end, 'acknowledged'
from generate_series(1, $1::integer) n returning 1
"""
LINE = """
insert into publication.order_lines (order_id, line_id, channel, recorded_at, changed_at, due_at)
values ($1, '1', $2, $3, $4, $5) returning 1
"""


async def fill(stage: Stage, count: int, at: datetime, *, is_closed: bool) -> None:
    await stage.fetch(ATTEMPTS, count, at, is_closed)


async def versions(stage: Stage) -> list[tuple[datetime, bool]]:
    rows = await stage.fetch(
        "select opened_at, closed_at is null as is_open from publication.attempts order by 1, 2"
    )
    return [(row["opened_at"], row["is_open"]) for row in rows]


@pytest.fixture
def slices(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "SLICE", 3)


@pytest.mark.usefixtures("slices")
async def test_closed_attempts_are_forgotten_after_their_time(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 1)
    await fill(stage, 10, OLD, is_closed=True)
    await fill(stage, 1, OLD, is_closed=False)
    await fill(stage, 2, NEW, is_closed=True)

    count = await keeping.forget_attempts(stage.pool, NOW - KEEP, asyncio.Event())

    assert count == 10
    assert await versions(stage) == [(OLD, True), (NEW, False), (NEW, False)]


@pytest.mark.usefixtures("slices")
async def test_order_lines_are_forgotten_unless_they_wait_to_be_counted(stage: Stage) -> None:
    await stage.fetch(
        "insert into publication.leases values ($1, 'me', 1, now()) returning 1", CHANNEL
    )
    for number in range(8):
        await stage.fetch(LINE, f"old{number}", CHANNEL, OLD, OLD, None)
    await stage.fetch(LINE, "never-booked", CHANNEL, None, OLD, None)
    await stage.fetch(LINE, "nobodys", "elsewhere", OLD, OLD, OLD)
    await stage.fetch(LINE, "no-order-came", None, OLD, None, OLD)
    await stage.fetch(LINE, "waits", CHANNEL, OLD, OLD, OLD)
    await stage.fetch(LINE, "booked-again", CHANNEL, NEW, OLD, None)
    await stage.fetch(LINE, "young", CHANNEL, NEW, NEW, None)

    count = await keeping.forget_lines(stage.pool, NOW - KEEP, asyncio.Event())

    rows = await stage.fetch("select order_id from publication.order_lines order by 1")
    assert [row["order_id"] for row in rows] == ["booked-again", "waits", "young"]
    assert count == 11


async def test_the_house_is_kept_until_the_service_closes(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 1)
    await fill(stage, 1, datetime.now(UTC) - 2 * KEEP, is_closed=True)
    closing = asyncio.Event()
    house = asyncio.create_task(
        keeping.keep_house(stage.pool, SystemClock(), KEEP, closing, pause=0.05)
    )

    async def is_gone() -> bool:
        return await versions(stage) == []

    await eventually(is_gone)
    await fill(stage, 1, datetime.now(UTC) - 2 * KEEP, is_closed=True)
    await eventually(is_gone)

    closing.set()
    await asyncio.wait_for(house, 3)
