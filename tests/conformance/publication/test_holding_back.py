"""A channel that cannot compare: its own sales are set right, and its next ones are allowed for."""

import asyncio
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import httpx
import pytest
from fastapi import APIRouter

from services.publication import api
from services.publication.domain.holding_back import HoldBack
from services.publication.engine import LaneOptions
from shared.runtime.clock import SystemClock
from shared.telemetry.health import Health
from tests.conformance.publication.hearing import an_order, an_outcome, hear
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    Worker,
    a_figure,
    eventually,
)

BRISK = LaneOptions(lease_seconds=3.0, renew_seconds=0.2)
SURE = HoldBack(lag_seconds=60.0, memory_seconds=600.0)
FORGETFUL = HoldBack(lag_seconds=1.0, memory_seconds=0.4, look_again_seconds=0.1)


async def a_shop(stage: Stage, hold: HoldBack | None = None, available: int = 8) -> Worker:
    """One product that shows its figure, in a shop that counts its own sales down."""
    worker = stage.worker_with(hold, BRISK)
    await stage.catalogue(worker, 1)
    worker.start()
    await worker.is_serving()
    await stage.figures(worker, a_figure("SKU-1", available, 1))
    await is_known(stage, available)
    return worker


async def is_known(stage: Stage, value: int) -> None:
    """The shop shows it, and the answer is in the database."""

    async def found() -> bool:
        rows = await stage.fetch("select shown, status from publication.published")
        return stage.shown(1) == value and [row["shown"] for row in rows] == [value]

    await eventually(found)


async def buy(stage: Stage, worker: Worker, order_id: str, units: int = 1) -> None:
    """A sale as the shop counts it, its order, and the ledger's answer to it."""
    entry = stage.shop.shop.entries[1]
    assert entry.stock_quantity is not None, "the entry manages its stock"
    entry.stock_quantity -= units
    order = an_order(order_id, units, listing="1")
    await hear(stage, worker, order, an_outcome(order_id, units))


async def counted(stage: Stage) -> None:
    """All that was heard has been counted and looked at."""

    async def is_done() -> bool:
        due = await stage.fetch("select 1 from publication.order_lines where counted <> wanted")
        handed = await stage.fetch("select 1 from publication.handed_over")
        return not due and not handed

    await eventually(is_done)


async def held(stage: Stage) -> int | None:
    """What the ledger of publications says is held back."""
    rows = await stage.fetch("select (basis ->> 'held')::int as held from publication.published")
    found: int | None = rows[0]["held"]
    return found


async def asked(worker: Worker) -> list[dict[str, Any]]:
    """How the listings stand, over HTTP."""
    health, parked = Health("publication"), APIRouter()
    app = api.create(worker.store, worker.engine, SystemClock(), health, parked)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://publication") as client:
        query = {"channel": CHANNEL, "sku": "SKU-1"}
        answer = await client.get("/v1/publications", params=query)
    found: list[dict[str, Any]] = answer.json()["listings"]
    return found


async def test_a_sale_behind_a_buffer_is_written_back_once(stage: Stage) -> None:
    worker = await a_shop(stage)

    await buy(stage, worker, "o1")  # its unit lay behind a buffer: the figure stays at 8
    await stage.figures(worker, a_figure("SKU-1", 8, 2))

    await is_known(stage, 8)
    await counted(stage)
    await stage.figures(worker, a_figure("SKU-1", 8, 3))
    await eventually(lambda: not worker.lane.queue.busy)
    assert stage.writes() == [(1, 8), (1, 8)]


async def test_a_wave_of_sales_is_one_call(stage: Stage) -> None:
    worker = await a_shop(stage)
    stage.shop.faults.set([{"kind": "latency", "seconds": 0.2}])

    for number in range(6):
        await buy(stage, worker, f"o{number}")

    await is_known(stage, 8)
    await counted(stage)
    await eventually(lambda: not worker.lane.queue.busy and not len(worker.lane.queue))
    assert stage.shown(1) == 8
    assert len(stage.writes()) <= 4  # one that was out while others came, and one for those


async def test_a_sale_that_a_later_figure_has_set_right_is_no_news(stage: Stage) -> None:
    worker = await a_shop(stage)
    entry = stage.shop.shop.entries[1]
    entry.stock_quantity = 7
    outcome = an_outcome("o1")
    await stage.figures(worker, a_figure("SKU-1", 7, 2), a_figure("SKU-1", 7, 2))
    await is_known(stage, 7)
    await stage.figures(worker, a_figure("SKU-1", 6, 3))
    await is_known(stage, 6)

    await hear(stage, worker, an_order("o1", listing="1"), outcome)
    await counted(stage)

    rows = await stage.fetch("select heard, demand from publication.listings")
    assert (rows[0]["heard"], rows[0]["demand"] > 0) == (0, True)
    assert stage.writes()[-1] == (1, 6)
    assert len(stage.writes()) <= 3


async def test_a_sale_before_a_takeover_is_written_back_after_it(stage: Stage) -> None:
    first = await a_shop(stage)
    await first.kill()

    await buy(stage, first, "o1")
    await asyncio.sleep(0.1)
    await first.store.count_heard([CHANNEL], 10, blind=[CHANNEL])
    second = stage.worker_with(None, BRISK)
    second.start()

    await is_known(stage, 8)
    assert stage.writes() == [(1, 8), (1, 8)]


async def test_sales_hold_units_back_and_the_figure_says_why(stage: Stage) -> None:
    worker = await a_shop(stage, SURE)

    await buy(stage, worker, "o1", units=2)
    await stage.figures(worker, a_figure("SKU-1", 6, 2))

    # two sold in ten minutes are 0.2 within a minute's lag: one more would be no surprise
    await is_known(stage, 5)
    assert await held(stage) == 1
    (listing,) = await asked(worker)
    assert (listing["available"], listing["shown"], listing["channel_buffer"]) == (6, 5, 0)
    assert listing["hold_back"] == {
        "held_back": 1, "quantile": 1, "probability": 0.95, "lag_seconds": 60.0,
        "expected_within_lag": pytest.approx(0.2, rel=0.05),
        "sold_per_hour": pytest.approx(12, rel=0.05), "channel_buffer": 0,
    }  # fmt: skip


async def test_a_channels_buffer_covers_its_part(stage: Stage) -> None:
    worker = await a_shop(stage, SURE)
    buffered = {"terms": {"pool": 7, "channel_buffer": 1}}

    await buy(stage, worker, "o1", units=2)
    await stage.figures(worker, a_figure("SKU-1", 6, 2, **buffered))

    await is_known(stage, 6)
    await counted(stage)
    await eventually(lambda: not worker.lane.queue.busy)
    assert not await held(stage)
    assert stage.shown(1) == 6


async def test_units_come_back_by_themselves_when_demand_stops(stage: Stage) -> None:
    worker = await a_shop(stage, FORGETFUL)

    await buy(stage, worker, "o1", units=3)
    await stage.figures(worker, a_figure("SKU-1", 5, 2))
    await eventually(lambda: (stage.shown(1) or 0) < 5)

    await is_known(stage, 5)
    assert await held(stage) == 0
    values = [value for _, value in stage.writes()][1:]
    falls = [b for a, b in pairwise(values) if b < a]
    assert len(falls) <= 1, values  # down once, then only up: no flicker
    assert await worker.store.astray(CHANNEL, 10) == []


async def test_the_last_units_are_told_when_nothing_was_shown_for_a_lag(stage: Stage) -> None:
    hold = HoldBack(lag_seconds=2.0, memory_seconds=600.0, look_again_seconds=0.1)
    worker = await a_shop(stage, hold, available=300)

    await buy(stage, worker, "o1", units=200)  # 0.67 within two seconds: two would be no surprise
    await counted(stage)
    await stage.figures(worker, a_figure("SKU-1", 2, 2))

    await is_known(stage, 0)
    await is_known(stage, 2)
    assert await held(stage) == 0
    await stage.figures(worker, a_figure("SKU-1", 1, 3))
    await is_known(stage, 0)


async def test_what_is_held_back_is_not_astray_and_survives_a_takeover(stage: Stage) -> None:
    first = await a_shop(stage, SURE)
    await buy(stage, first, "o1", units=2)
    await stage.figures(first, a_figure("SKU-1", 6, 2))
    await is_known(stage, 5)
    assert await first.store.astray(CHANNEL, 10) == []
    written = len(stage.writes())

    await first.stop()
    second = stage.worker_with(SURE, BRISK)
    second.start()
    await second.is_serving()

    assert (len(stage.writes()), stage.shown(1)) == (written, 5)
    assert len(second.lane.queue) == 0


async def test_a_channel_that_holds_nothing_back_gives_back_what_was_held(stage: Stage) -> None:
    first = await a_shop(stage, SURE)
    await buy(stage, first, "o1", units=2)
    await stage.figures(first, a_figure("SKU-1", 6, 2))
    await is_known(stage, 5)

    await first.stop()
    second = stage.worker_with(None, BRISK)
    second.start()

    await is_known(stage, 6)
    assert await held(stage) == 0


async def test_the_lag_is_measured_from_the_shops_change_to_its_counting(stage: Stage) -> None:
    worker = await a_shop(stage, SURE)
    changed = datetime.now(UTC) - timedelta(seconds=10)

    for number in range(25):
        order = an_order(f"o{number}", listing="1") | {"updated_at": changed.isoformat()}
        late = order | {"order_id": f"late{number}", "updated_at": "2020-01-01T00:00:00+00:00"}
        messages: list[dict[str, Any]] = [order, an_outcome(order["order_id"])]
        await hear(stage, worker, *messages, late, an_outcome(late["order_id"]))
    await counted(stage)

    lags = (await worker.store.lags([CHANNEL]))[CHANNEL]
    assert len(lags) == 25  # a backlog worked off is no lag
    worker.lane.holding.learn(lags)
    assert worker.lane.holding.lag_seconds == pytest.approx(10, abs=5)


async def test_an_order_called_off_before_it_was_booked_makes_the_shop_be_told_again(
    stage: Stage,
) -> None:
    worker = await a_shop(stage)
    order = an_order("o1", listing="1")
    stage.shop.shop.entries[1].stock_quantity = 9  # told 8 while it was sold, given back since

    await hear(stage, worker, order)
    await hear(stage, worker, order | {"state": "cancelled", "version": 2})

    await is_known(stage, 8)
    assert stage.writes() == [(1, 8), (1, 8)]
    rows = await stage.fetch("select heard, given_back, demand from publication.listings")
    assert [tuple(row) for row in rows] == [(1, 1, 0)]


async def test_a_line_called_off_before_it_counted_makes_the_shop_be_told_again(
    stage: Stage,
) -> None:
    worker = await a_shop(stage)
    stage.shop.shop.entries[1].stock_quantity = 9

    await hear(stage, worker, an_order("o1", listing="1"), an_outcome("o1"), after=60)
    await hear(stage, worker, an_outcome("o1", wanted=0, version=2))

    await is_known(stage, 8)
    assert stage.writes() == [(1, 8), (1, 8)]


async def test_a_line_called_off_after_it_counted_makes_the_shop_be_told_again(
    stage: Stage,
) -> None:
    worker = await a_shop(stage)
    await buy(stage, worker, "o1")
    await is_known(stage, 8)
    await counted(stage)

    stage.shop.shop.entries[1].stock_quantity = 9
    order = an_order("o1", listing="1") | {"state": "cancelled", "version": 2}
    await hear(stage, worker, order, an_outcome("o1", wanted=0, version=2))

    await is_known(stage, 8)
    assert stage.writes() == [(1, 8)] * 3
