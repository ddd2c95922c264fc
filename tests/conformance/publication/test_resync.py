"""Full resyncs: guarded, slice by slice, resumed by the next owner, never ahead of live changes."""

import httpx
from fastapi import APIRouter

from services.publication import api
from shared.runtime.clock import SystemClock
from shared.telemetry.health import Health
from tests.conformance.publication.stage import Stage, Worker, a_figure, eventually


async def a_told_shop(stage: Stage, products: int, quantity: int = 10) -> Worker:
    worker = stage.worker()
    await stage.catalogue(worker, products)
    worker.start()
    await worker.is_serving()
    await stage.figures(
        worker, *[a_figure(f"SKU-{i}", quantity, 1) for i in range(1, products + 1)]
    )

    async def are_told() -> bool:
        rows = await stage.fetch(
            "select 1 from publication.published where status = 'acknowledged' and shown = $1",
            quantity,
        )
        return len(rows) == products

    await eventually(are_told)
    return worker


def client_of(worker: Worker) -> httpx.AsyncClient:
    health, parked = Health("publication"), APIRouter()
    app = api.create(worker.store, worker.engine, SystemClock(), health, parked)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")


async def test_a_resync_tells_every_listing_again_and_repairs_what_drifted(stage: Stage) -> None:
    worker = await a_told_shop(stage, 100)
    entries = stage.shop.shop.entries
    entries[7].stock_quantity = 3

    async with client_of(worker) as client:
        answer = await client.post("/v1/channels/shop/resync", json={})

    assert answer.status_code == 202
    await eventually(lambda: stage.shown(7) == 10)

    async def is_done() -> bool:
        rows = await stage.fetch("select finished_at from publication.resyncs")
        return rows[0]["finished_at"] is not None

    await eventually(is_done)
    assert len(stage.writes()) == 200


async def test_a_resync_that_would_empty_the_shop_is_stopped_unless_confirmed(
    stage: Stage,
) -> None:
    worker = await a_told_shop(stage, 30)
    await worker.stop()
    await stage.fetch("update publication.figures set available = 0, version = version + 1")

    async with client_of(worker) as client:
        refused = await client.post("/v1/channels/shop/resync", json={})
        confirmed = await client.post("/v1/channels/shop/resync", json={"confirm": True})
        again = await client.post("/v1/channels/shop/resync", json={"confirm": True})

    assert refused.status_code == 409
    assert refused.json()["detail"] == {
        "refused": "too_many_zeros", "listings": 30, "changed": 30, "zeroed": 30,
    }  # fmt: skip
    assert confirmed.status_code == 202
    assert again.json()["detail"]["refused"] == "resync_running"


async def test_a_resync_goes_on_where_the_last_owner_stopped(stage: Stage) -> None:
    worker = await a_told_shop(stage, 100)
    await worker.stop()
    await stage.fetch(
        "insert into publication.resyncs (channel, is_confirmed, listings, changed, zeroed,"
        " cursor_id) values ('shop', true, 100, 0, 0, 60)"
    )

    stage.worker().start()

    async def is_done() -> bool:
        rows = await stage.fetch("select finished_at from publication.resyncs")
        return rows[0]["finished_at"] is not None

    await eventually(is_done)
    assert len(stage.writes()) == 140


async def test_the_interface_says_what_was_told_and_how_the_channel_does(stage: Stage) -> None:
    worker = await a_told_shop(stage, 1)

    async with client_of(worker) as client:
        told = (await client.get("/v1/publications?channel=shop&sku=SKU-1")).json()
        status = (await client.get("/v1/channels/shop/status")).json()
        unknown = await client.get("/v1/channels/nowhere/status")

    assert told["listings"][0]["shown"] == 10
    assert [(a["value"], a["outcome"]) for a in told["attempts"]] == [(10, "acknowledged")]
    assert (status["is_serving"], status["breaker"], status["queued"]) == (True, "closed", 0)
    assert unknown.status_code == 404
