"""Parked messages of publication over HTTP: listed, shown, replayed once, and then told."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx
import pytest_asyncio
from prometheus_client import REGISTRY

from services.publication import api
from services.publication.handlers import HearingHandler, Replaying
from services.publication.repository.parking import PARKING
from shared.contracts.topics import ALLOCATIONS, AVAILABILITY, ORDERS, REFERENCE_DATA
from shared.http.parked import parked_router
from shared.runtime.clock import SystemClock
from shared.telemetry.health import Health
from tests.conformance.publication.hearing import an_order, an_outcome
from tests.conformance.publication.stage import Stage, Worker, a_figure, a_listing, eventually


@dataclass(kw_only=True)
class Room:
    """A worker, and its parked messages over HTTP."""

    stage: Stage
    worker: Worker
    http: httpx.AsyncClient

    async def park(self, topic: str, payload: dict[str, Any]) -> int:
        """A message on which a bug was found."""
        batch = await self.stage.feed.batch(topic, [payload])
        if topic in (ORDERS.name, ALLOCATIONS.name):
            hearing = HearingHandler(self.worker.store, 0.01)
            await hearing.park(batch, ZeroDivisionError("a bug"))
        else:
            await self.worker.handler.park(batch, ZeroDivisionError("a bug"))
        found: int = (await self.rows())[-1]["parked_id"]
        return found

    async def rows(self) -> list[asyncpg.Record]:
        """Everything that was ever parked."""
        return await self.stage.fetch("select * from publication.parked order by parked_id")

    async def replay(self, parked_id: int) -> dict[str, Any]:
        """Bring one back."""
        answer = await self.http.post(f"/v1/parked/{parked_id}/replay")
        found: dict[str, Any] = answer.json()
        return found


@pytest_asyncio.fixture(loop_scope="session")
async def room(stage: Stage) -> AsyncIterator[Room]:
    worker = stage.worker()
    replaying = Replaying(worker.store, worker.engine, SystemClock(), 0.01)
    parked = parked_router(
        stage.pool, PARKING, lambda ids: replaying.replay(stage.pool, ids)
    )  # fmt: skip
    app = api.create(worker.store, worker.engine, SystemClock(), Health("publication"), parked)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://publication") as client:
        yield Room(stage=stage, worker=worker, http=client)


async def test_a_message_that_cannot_be_read_is_replayed_and_parked_again(room: Room) -> None:
    parked = {"service": "publication", "reason": "malformed"}
    before = REGISTRY.get_sample_value("stocktide_parked_total", parked) or 0.0
    await room.stage.figures(room.worker, b"nonsense")
    (listed,) = (await room.http.get("/v1/parked")).json()["parked"]

    shown = (await room.http.get(f"/v1/parked/{listed['parked_id']}")).json()
    replayed = await room.replay(listed["parked_id"])

    assert (shown["value"], shown["topic"]) == ("nonsense", AVAILABILITY.name)
    assert replayed == {"replayed": 1, "status": "parked", "reason": shown["reason"]}
    assert (await room.http.post("/v1/parked/999/replay")).status_code == 404
    assert len(await room.rows()) == 1
    assert REGISTRY.get_sample_value("stocktide_parked_total", parked) == before + 2


async def test_a_parked_figure_is_told_once_however_often_it_is_replayed(room: Room) -> None:
    await room.stage.catalogue(room.worker, 1)
    room.worker.start()
    await room.worker.is_serving()
    parked_id = await room.park(AVAILABILITY.name, a_figure("SKU-1", 4, 1))
    (row,) = await room.rows()
    assert (row["reason"], "a bug" in row["detail"]) == ("internal_error", True)

    answers = await asyncio.gather(*(room.replay(parked_id) for _ in range(5)))

    assert sorted(answer["replayed"] for answer in answers) == [0, 0, 0, 0, 1]
    await eventually(lambda: room.stage.shown(1) == 4)
    assert room.stage.writes() == [(1, 4)]
    assert [row["status"] for row in await room.rows()] == ["released"]


async def test_a_parked_listing_is_told_its_figure(room: Room) -> None:
    await room.stage.catalogue(room.worker, 2)
    room.worker.start()
    await room.worker.is_serving()
    await room.stage.figures(room.worker, a_figure("SKU-3", 6, 1))
    parked_id = await room.park(REFERENCE_DATA.name, a_listing("SKU-3", "2"))

    await room.replay(parked_id)

    await eventually(lambda: room.stage.shown(2) == 6)


async def test_a_parked_order_and_its_outcome_are_heard(room: Room) -> None:
    await room.stage.catalogue(room.worker, 1)
    room.worker.start()
    await room.worker.is_serving()
    await room.stage.figures(room.worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: room.stage.shown(1) == 4)
    await room.park(ORDERS.name, an_order("o1", listing="1"))
    await room.park(ALLOCATIONS.name, an_outcome("o1"))

    assert (await room.http.post("/v1/parked:replay", json={})).json() == {"replayed": 2}

    async def is_counted() -> bool:
        rows = await room.stage.fetch("select counted from publication.order_lines")
        return [row["counted"] for row in rows] == [1]

    await eventually(is_counted)
