"""HTTP of publication: what was told, how a listing stands, how a channel does, full resyncs."""

from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import BaseModel

from services.publication.domain.guarding import BlastRadius, Stopped, guard
from services.publication.domain.wanting import Sorted, sort_out
from services.publication.engine import Engine
from services.publication.repository.store import Store
from shared.runtime.clock import Clock
from shared.telemetry.health import Health

SLICE = 1_000


class ResyncRequest(BaseModel):
    """`confirm` says that the blast radius was seen and is meant."""

    confirm: bool = False


def create(store: Store, engine: Engine, clock: Clock, health: Health) -> FastAPI:
    """The application."""
    app = FastAPI(title="Stocktide publication", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(_ledger(store))
    app.include_router(_channels(store, engine, clock))
    return app


def _ledger(store: Store) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/publications")
    async def publications(
        channel: str, sku: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        """How each of the SKU's listings stands, and every attempt, the latest first."""
        return {
            "listings": await store.standing(channel, sku),
            "attempts": await store.history(channel, sku, limit),
        }

    return router


def _channels(store: Store, engine: Engine, clock: Clock) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/channels")
    async def channels() -> dict[str, Any]:
        return {"channels": [status_of(engine, name, clock) for name in sorted(engine.lanes)]}

    @router.get("/v1/channels/{channel}/status")
    async def status(channel: str) -> dict[str, Any]:
        _require(engine, channel)
        return status_of(engine, channel, clock)

    @router.post("/v1/channels/{channel}/resync", status_code=202)
    async def resync(channel: str, request: ResyncRequest) -> dict[str, Any]:
        """Tell every listing anew. 409 while one is running, or when too much would change."""
        _require(engine, channel)
        radius = await measure(store, channel)
        stopped = guard(radius, is_confirmed=request.confirm)
        if isinstance(stopped, Stopped):
            raise HTTPException(409, {"refused": stopped.rule, **_numbers(radius)})
        resync_id = await store.begin_resync(channel, radius, is_confirmed=request.confirm)
        if resync_id is None:
            raise HTTPException(409, {"refused": "resync_running", **_numbers(radius)})
        engine.begin_resync(channel)
        return {"resync_id": resync_id, **_numbers(radius)}

    return router


async def measure(store: Store, channel: str) -> BlastRadius:
    """What telling every listing anew would change, counted slice by slice."""
    listings = changed = zeroed = after = 0
    while slice_ := await store.listings_after(channel, after, SLICE):
        after = slice_[-1].desired.listing_id
        into = Sorted()
        for one in slice_:
            sort_out(one.desired, one.channel_mode, into)
        listings += len(into.wanted) + len(into.satisfied)
        changed += len(into.wanted)
        zeroed += sum(d.value == 0 for d in into.wanted)
    return BlastRadius(listings=listings, changed=changed, zeroed=zeroed)


def status_of(engine: Engine, channel: str, clock: Clock) -> dict[str, Any]:
    """How a channel does in this process: whether it is owned here, and what waits."""
    lane, now = engine.lanes[channel], clock.monotonic()
    wait = lane.traffic.wait_seconds(now)
    return {
        "channel": channel,
        "kind": lane.connector.descriptor.kind,
        "is_owned_here": lane.held is not None,
        "is_serving": lane.is_serving,
        "queued": len(lane.queue),
        "busy": lane.queue.busy,
        "breaker": lane.traffic.breaker_state(now).value,
        "wait_seconds": wait,
        "batch_max": lane.traffic.batch_max,
        "last_acknowledged_at": lane.acknowledged_at,
    }


def _require(engine: Engine, channel: str) -> None:
    if channel not in engine.lanes:
        raise HTTPException(404, f"no connector is configured for channel {channel!r}")


def _numbers(radius: BlastRadius) -> dict[str, int]:
    return {"listings": radius.listings, "changed": radius.changed, "zeroed": radius.zeroed}
