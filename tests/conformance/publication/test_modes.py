"""Who is told at all: modes by category, pauses, budgets of a day, and what is not built."""

import random
from functools import partial

import httpx
import pytest
from fastapi import APIRouter

from services.publication import api
from services.publication.app import call_id
from services.publication.domain.capabilities import NotBuilt, Write
from services.publication.engine import Lane
from services.publication.repository.store import Store
from shared.runtime.clock import SystemClock
from shared.telemetry.health import Health
from tests.conformance.publication.channels import ComparingChannel, a_comparing_channel
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)


def a_product(sku: str, *category: str, **overrides: object) -> dict[str, object]:
    return {"kind": "product", "sku": sku, "category": category} | overrides


def modes(**by_path: str) -> list[dict[str, object]]:
    """`food__fresh="off"` is the mode of the category food/fresh."""
    return [{"category": path.split("__"), "mode": mode} for path, mode in by_path.items()]


async def a_shop_by_category(stage: Stage, *records: dict[str, object]) -> Worker:
    """SKU-1 fresh food, SKU-2 other food, SKU-3 toys, SKU-4 without a category."""
    worker = stage.worker()
    stage.shop.stock(4, 1_000)
    products = [
        a_product("SKU-1", "food", "fresh"), a_product("SKU-2", "food"), a_product("SKU-3", "toys"),
    ]  # fmt: skip
    listings = [a_listing(f"SKU-{i}", str(i)) for i in range(1, 5)]
    await stage.tell(worker, *records, *listings, *products)
    worker.start()
    await worker.is_serving()
    return worker


async def listing_modes(stage: Stage) -> list[str]:
    rows = await stage.fetch("select mode from publication.listings order by listing::int")
    return [row["mode"] for row in rows]


async def test_the_deepest_category_that_a_channel_names_decides(stage: Stage) -> None:
    worker = await a_shop_by_category(
        stage, a_channel(category_modes=modes(food="shadow", food__fresh="off", toys="live"))
    )

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in range(1, 5)])

    await eventually(lambda: [stage.shown(i) for i in range(1, 5)] == [1_000, 1_000, 3, 4])
    assert await listing_modes(stage) == ["off", "shadow", "live", "live"]
    rows = await stage.fetch("select outcome from publication.attempts where outcome = 'shadowed'")
    assert len(rows) == 1


async def test_a_category_makes_nothing_live_that_is_not(stage: Stage) -> None:
    worker = await a_shop_by_category(stage, a_channel("shadow", category_modes=modes(toys="live")))
    await stage.tell(worker, a_listing("SKU-3", "3", mode="off", revision=1))

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in range(1, 5)])

    assert await listing_modes(stage) == ["live", "live", "off", "live"]
    assert stage.shop.calls.requests == 0


async def test_a_category_that_goes_live_is_told(stage: Stage) -> None:
    worker = await a_shop_by_category(stage, a_channel(category_modes=modes(food="off")))
    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in range(1, 5)])
    await eventually(lambda: stage.shown(4) == 4)
    before = stage.shown(2)

    await stage.tell(worker, a_channel(revision=1))

    await eventually(lambda: [stage.shown(i) for i in (1, 2)] == [1, 2])
    assert before == 1_000


async def test_a_product_that_changes_its_category_changes_its_mode(stage: Stage) -> None:
    worker = await a_shop_by_category(stage, a_channel(category_modes=modes(food="off")))

    await stage.tell(worker, a_product("SKU-3", "food", revision=1))
    await stage.tell(worker, a_product("SKU-2", "toys", revision=1))

    assert await listing_modes(stage) == ["off", "live", "off", "live"]


def client_of(worker: Worker) -> httpx.AsyncClient:
    health, parked = Health("publication"), APIRouter()
    app = api.create(worker.store, worker.engine, SystemClock(), health, parked)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def a_told_shop(stage: Stage) -> Worker:
    worker = stage.worker()
    await stage.catalogue(worker, 2)
    worker.start()
    await worker.is_serving()
    await stage.figures(worker, a_figure("SKU-1", 5, 1), a_figure("SKU-2", 6, 1))

    async def are_told() -> bool:
        rows = await stage.fetch(
            "select 1 from publication.published where status = 'acknowledged'"
        )
        return len(rows) == 2

    await eventually(are_told)
    return worker


async def test_a_pause_leaves_the_last_figures_and_a_resume_tells_what_changed(
    stage: Stage,
) -> None:
    worker = await a_told_shop(stage)
    stage.shop.shop.entries[2].stock_quantity = 3

    async with client_of(worker) as client:
        paused = await client.post("/v1/channels/shop/pause", json={})
        await stage.figures(worker, a_figure("SKU-1", 4, 2))
        await stage.figures(worker, a_figure("SKU-1", 3, 3))
        status = (await client.get("/v1/channels/shop/status")).json()
        resync = await client.post("/v1/channels/shop/resync", json={})
        shown = [stage.shown(1), stage.shown(2)]
        resumed = await client.post("/v1/channels/shop/resume")

    assert (paused.status_code, status["is_paused"]) == (202, True)
    assert resync.json()["detail"] == {"refused": "paused"}
    assert shown == [5, 3]
    assert resumed.json()["was_paused"] is True
    await eventually(lambda: stage.shown(1) == 3)
    assert stage.writes()[-1] == (1, 3)


async def test_a_pause_that_restores_tells_every_figure_once_more_and_then_nothing(
    stage: Stage,
) -> None:
    worker = await a_told_shop(stage)
    stage.shop.shop.entries[2].stock_quantity = 3

    async with client_of(worker) as client:
        await client.post("/v1/channels/shop/pause", json={"figures": "restore"})
    await eventually(lambda: stage.shown(2) == 6)

    async def is_off() -> bool:
        rows = await stage.fetch("select mode from publication.channels")
        return bool(rows[0]["mode"] == "off")

    await eventually(is_off)
    writes = len(stage.writes())
    await stage.figures(worker, a_figure("SKU-1", 4, 2))
    assert len(stage.writes()) == writes == 4
    assert stage.shown(1) == 5


async def test_a_pause_outlives_a_channel_record(stage: Stage) -> None:
    worker = await a_told_shop(stage)
    await worker.store.pause(CHANNEL, None, SystemClock().now())

    await stage.tell(worker, a_channel("live", revision=5))

    rows = await stage.fetch("select mode from publication.channels")
    assert [row["mode"] for row in rows] == ["off"]


def shows(channel: ComparingChannel, value: int) -> bool:
    return channel.shown.get("c1") == value


async def test_a_listings_calls_of_a_day_are_counted_over_owners(stage: Stage) -> None:
    """Four of five calls are for whatever comes, at any time of day; the last for what presses."""
    channel = a_comparing_channel(can_compare_and_set=False, listing_calls_per_day=5)
    first = stage.worker_for(channel)
    await stage.tell(first, a_channel(), a_listing("SKU-1", "c1"), a_listing("SKU-2", "c2"))
    first.start()
    await first.is_serving()
    for version, value in enumerate((3, 2, 1, 2), start=1):
        await stage.figures(first, a_figure("SKU-1", value, version))
        await eventually(partial(shows, channel, value))
    await first.stop()

    second = stage.worker_for(channel)
    second.start()
    await second.is_serving()
    await stage.figures(second, a_figure("SKU-1", 900, 5), a_figure("SKU-2", 900, 5))
    await eventually(lambda: channel.shown.get("c2") == 900)
    assert channel.shown["c1"] == 2
    await stage.figures(second, a_figure("SKU-1", 0, 6))
    await eventually(lambda: channel.shown["c1"] == 0)
    await stage.figures(second, a_figure("SKU-1", 1, 7), a_figure("SKU-2", 1, 7))

    await eventually(lambda: channel.shown["c2"] == 1)
    assert channel.shown["c1"] == 0
    assert 1 in second.lane.queue


@pytest.mark.parametrize(
    "descriptor",
    [
        pytest.param({"write": Write.DELTA}, id="changes"),
        pytest.param({"is_per_location": True}, id="a_figure_per_location"),
    ],
)
async def test_what_is_not_built_is_refused_at_start(
    stage: Stage, descriptor: dict[str, object]
) -> None:
    channel = a_comparing_channel(**descriptor)
    store = Store(stage.pool, {})

    with pytest.raises(NotBuilt, match=r"channel 'shop' \(comparing\) wants"):
        Lane(CHANNEL, channel, store, SystemClock(), random.Random(1), call_id)
