"""HTTP of publication: what was told, how a channel does, full resyncs, pauses."""

from enum import StrEnum
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import BaseModel

from services.publication.domain.guarding import BlastRadius, Stopped, guard
from services.publication.domain.wanting import Sorted, sort_out
from services.publication.engine import Engine, Lane
from services.publication.repository.store import Store
from shared.runtime.clock import Clock
from shared.telemetry.health import Health

SLICE = 1_000


class ResyncRequest(BaseModel):
    """`confirm` says that the blast radius was seen and is meant."""

    confirm: bool = False


class Figures(StrEnum):
    """What a pause leaves in the channel: what it shows now, or every figure told once more."""

    LEAVE = "leave"
    RESTORE = "restore"


class PauseRequest(BaseModel):
    """`restore` runs a full resync first, guarded like any other; the silence follows it."""

    figures: Figures = Figures.LEAVE
    confirm: bool = False


def create(
    store: Store, engine: Engine, clock: Clock, health: Health, parked: APIRouter
) -> FastAPI:
    """The application; `parked` are the routes of its parked messages."""
    app = FastAPI(title="Stocktide publication", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(parked)
    app.include_router(_ledger(store, engine))
    app.include_router(_channels(store, engine, clock))
    app.include_router(_pauses(store, engine, clock))
    return app


def _ledger(store: Store, engine: Engine) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/publications")
    async def publications(
        channel: str, sku: str, limit: Annotated[int, Query(ge=1, le=1000)] = 100
    ) -> dict[str, Any]:
        """How each of the SKU's listings stands, and every attempt, the latest first.

        Where units are held back, `hold_back` says how many and why.
        """
        return {
            "listings": await _explained(store, engine, channel, sku),
            "attempts": await store.history(channel, sku, limit),
        }

    return router


async def _explained(store: Store, engine: Engine, channel: str, sku: str) -> list[dict[str, Any]]:
    """How each listing stands, and why it is told less than its figure."""
    rows = await store.standing(channel, sku)
    if (lane := engine.lanes.get(channel)) is None:
        return rows
    found = {
        one.desired.listing.code: lane.holding.explain(one.desired)
        for one in await store.listings([row["listing_id"] for row in rows])
    }
    return [row | {"hold_back": found.get(row["listing"])} for row in rows]


def _channels(store: Store, engine: Engine, clock: Clock) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/channels")
    async def channels() -> dict[str, Any]:
        return {"channels": [status_of(engine, name, clock) for name in sorted(engine.lanes)]}

    @router.get("/v1/channels/{channel}/status")
    async def status(channel: str) -> dict[str, Any]:
        _require(engine, channel)
        is_paused = await store.is_paused(channel)
        return status_of(engine, channel, clock) | {"is_paused": is_paused}

    @router.post("/v1/channels/{channel}/resync", status_code=202)
    async def resync(channel: str, request: ResyncRequest) -> dict[str, Any]:
        """Tell every listing anew. 409 while one is running, or when too much would change."""
        _require(engine, channel)
        if await store.is_paused(channel):
            raise HTTPException(409, {"refused": "paused"})
        resync_id, radius = await _begin_resync(
            store, engine, channel, is_confirmed=request.confirm
        )
        engine.begin_resync(channel)
        return {"resync_id": resync_id, **_numbers(radius)}

    return router


def _pauses(store: Store, engine: Engine, clock: Clock) -> APIRouter:
    router = APIRouter()

    @router.post("/v1/channels/{channel}/pause", status_code=202)
    async def pause(channel: str, request: PauseRequest) -> dict[str, Any]:
        """Tell the channel nothing any more, now or after a resync. 409 as for a resync."""
        _require(engine, channel)
        resync_id: int | None = None
        if request.figures is Figures.RESTORE:
            resync_id, _ = await _begin_resync(store, engine, channel, is_confirmed=request.confirm)
        await store.pause(channel, resync_id, clock.now())
        engine.begin_resync(channel)
        return {"channel": channel, "figures": request.figures, "resync_id": resync_id}

    @router.post("/v1/channels/{channel}/resume")
    async def resume(channel: str) -> dict[str, Any]:
        """Tell the channel again, and first what has changed meanwhile."""
        _require(engine, channel)
        was_paused = await store.resume(channel, clock.now())
        engine.reload([channel])
        return {"channel": channel, "was_paused": was_paused}

    return router


async def _begin_resync(
    store: Store, engine: Engine, channel: str, *, is_confirmed: bool
) -> tuple[int, BlastRadius]:
    """A guarded resync's id. Raises 409 while one is running, or when too much would change."""
    radius = await measure(store, engine.lanes[channel])
    stopped = guard(radius, is_confirmed=is_confirmed)
    if isinstance(stopped, Stopped):
        raise HTTPException(409, {"refused": stopped.rule, **_numbers(radius)})
    resync_id = await store.begin_resync(channel, radius, is_confirmed=is_confirmed)
    if resync_id is None:
        raise HTTPException(409, {"refused": "resync_running", **_numbers(radius)})
    return resync_id, radius


async def measure(store: Store, lane: Lane) -> BlastRadius:
    """What telling every listing anew would change, counted slice by slice."""
    listings = changed = zeroed = after = 0
    while slice_ := await store.listings_after(lane.channel, after, SLICE):
        after = slice_[-1].desired.listing_id
        into = Sorted()
        for one in slice_:
            sort_out(lane.upon(one.desired), one.channel_mode, into)
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
        "awaited": len(lane.receipts),
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
