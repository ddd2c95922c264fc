"""Listings counted by what a customer finds there."""

import asyncio
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from services.publication.repository.measuring import listings_by_state
from shared.postgres.measuring import measure_by_labels
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)


async def counted(stage: Stage) -> Mapping[tuple[str, ...], int]:
    async with stage.pool.acquire() as connection:
        return await listings_by_state(connection)


async def test_what_we_feed_is_offered_sold_out_or_untold(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 4)
    await stage.tell(
        worker,
        a_listing("SKU-5", "5", fulfilled_by="channel"),  # shows the channel's own stock
        a_listing("SKU-6", "6", mode="off"),
    )
    worker.start()
    await worker.is_serving()
    await stage.figures(
        worker, a_figure("SKU-1", 5, 1), a_figure("SKU-2", 3, 1), a_figure("SKU-3", 0, 1)
    )

    async def is_told() -> bool:
        rows = await stage.fetch("select 1 from publication.published where shown is not null")
        return len(rows) == 3

    await eventually(is_told)
    assert await counted(stage) == {
        (CHANNEL, "offered"): 2, (CHANNEL, "sold_out"): 1, (CHANNEL, "untold"): 1,
    }  # fmt: skip


async def test_a_channel_without_listings_that_we_feed_is_not_counted(stage: Stage) -> None:
    worker = stage.worker()
    await stage.tell(worker, a_channel())

    assert await counted(stage) == {}


async def test_one_worker_tells_and_what_is_gone_is_not_told_any_more(stage: Stage) -> None:
    gauge = Gauge("listings", "…", ["channel", "state"], registry=CollectorRegistry())
    found: dict[tuple[str, ...], int] = {("shop", "offered"): 3, ("old", "offered"): 1}
    is_first, closing = True, asyncio.Event()

    async def read(_: object) -> Mapping[tuple[str, ...], int]:
        return found

    def told() -> dict[str, float]:
        return {s.labels["channel"]: s.value for m in gauge.collect() for s in m.samples}

    measuring = asyncio.create_task(
        measure_by_labels(
            stage.pool, gauge, read, closing, is_first=lambda: is_first, every_seconds=0.01
        )
    )
    await eventually(lambda: told() == {"shop": 3, "old": 1})
    del found["old", "offered"]
    await eventually(lambda: told() == {"shop": 3})
    is_first = False
    await eventually(lambda: told() == {})
    closing.set()
    await measuring
