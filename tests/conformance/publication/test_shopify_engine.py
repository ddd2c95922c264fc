"""The engine over the Shopify connector and its simulator: whatever happens, nothing is lost."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from services.simulators.shopify import ShopifySimulator
from tests.conformance.publication.stage import (
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
    serving,
)
from tests.conformance.publication.test_shopify import a_shopify
from tests.unit.simulators.shopify_shop import a_simulator


@asynccontextmanager
async def a_live_worker(
    stage: Stage, shop: ShopifySimulator, count: int, **options: Any
) -> AsyncIterator[Worker]:
    """The engine over the connector, with a listing for every item."""
    async with serving(shop.app) as url:
        connector = a_shopify(url, **options)
        worker = stage.worker_for(connector)
        listings = [
            a_listing(f"SKU-{n}", f"variant-{n}", ids={"inventory_item_id": str(n)})
            for n in range(1, count + 1)
        ]
        await stage.tell(worker, a_channel(), *listings)
        worker.start()
        await worker.is_serving()
        try:
            yield worker
        finally:
            shop.faults.set([])
            await worker.stop()
            await connector.close()
            await shop.webhooks.close()


async def test_with_the_limits_halved_nothing_is_lost(stage: Stage) -> None:
    """125 entries a call, 50 points a second with a bucket of 30: three calls at once at most."""
    shop = a_simulator()
    shop.admin.entries_max = 125
    shop.admin.bucket.set(restore_rate=50, maximum=30)
    async with a_live_worker(stage, shop, 300) as worker:
        figures = [a_figure(f"SKU-{n}", n, 1) for n in range(1, 301)]
        await stage.figures(worker, *figures)

        await eventually(lambda: all(shop.shown(n) == n for n in range(1, 301)), 30)

    written = [row[1:] for row in shop.calls.read(0, 10_000)[1]]
    assert sorted(written) == [(n, n) for n in range(1, 301)]


@pytest.mark.parametrize("naming", ["each", "first", "none"])
async def test_bad_entries_never_block_the_others(stage: Stage, naming: str) -> None:
    shop = a_simulator()
    shop.admin.naming = naming
    for item in (7, 8):
        del shop.stock_room.items[item]
    async with a_live_worker(stage, shop, 40) as worker:
        await stage.figures(worker, *(a_figure(f"SKU-{n}", 5, 1) for n in range(1, 41)))

        good = [n for n in range(1, 41) if n not in (7, 8)]
        await eventually(lambda: all(shop.shown(n) == 5 for n in good), 30)

        async def are_refused() -> bool:
            rows = await stage.fetch(
                "select count(*) as n from publication.published where status = 'refused'"
            )
            return bool(rows[0]["n"] == 2)

        await eventually(are_refused)


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "throttle", "calls": 2}, {"kind": "error", "calls": 2},
        {"kind": "unavailable", "calls": 2}, {"kind": "nonsense", "calls": 2},
        {"kind": "lost_answer", "calls": 1}, {"kind": "hang", "calls": 1, "seconds": 1.0},
    ],
    ids=lambda fault: fault["kind"],
)  # fmt: skip
async def test_a_fault_of_the_shop_loses_nothing(stage: Stage, fault: dict[str, Any]) -> None:
    shop = a_simulator()
    async with a_live_worker(stage, shop, 20) as worker:
        shop.faults.set([fault])
        await stage.figures(worker, *(a_figure(f"SKU-{n}", 5, 1) for n in range(1, 21)))

        await eventually(lambda: all(shop.shown(n) == 5 for n in range(1, 21)), 30)


async def test_a_sale_that_nobody_has_told_us_of_is_not_overwritten(stage: Stage) -> None:
    shop = a_simulator()
    async with a_live_worker(stage, shop, 1) as worker:
        await stage.figures(worker, a_figure("SKU-1", 20, 1))
        await eventually(lambda: shop.shown(1) == 20)

        shop.orders.place([(shop.stock_room.items[1], 3)], 0)
        await stage.figures(worker, a_figure("SKU-1", 19, 2))

        await eventually(lambda: shop.shown(1) == 16)

    values = [value for _, _, value in shop.calls.read(0, 100)[1]]
    assert values == [20, 16]
