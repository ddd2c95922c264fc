"""HTTP of the ledger: levels, why they are so, parked messages and their replay."""

from typing import Annotated

from fastapi import APIRouter, FastAPI, HTTPException, Query
from pydantic import AwareDatetime, BaseModel, Field
from starlette.applications import Starlette

from services.ledger.handlers.batch import LedgerHandler
from services.ledger.repository import explaining, parking
from services.ledger.repository.publishing import LedgerStates
from shared.postgres.connecting import Pool
from shared.telemetry.health import Health

REPLAY_SLICE = 500


class ReplayRequest(BaseModel):
    """Which parked messages to bring back: by id, by reason, or all that are open."""

    ids: list[int] = Field(default_factory=list, max_length=10_000)
    reason: str | None = None


def probes(health: Health) -> Starlette:
    """Only the probes, for the worker."""
    return Starlette(routes=health.routes())


def create(pool: Pool, handler: LedgerHandler, states: LedgerStates, health: Health) -> FastAPI:
    """The application of the api role."""
    app = FastAPI(title="Stocktide ledger", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(_levels(pool, states))
    app.include_router(_parked(pool, handler))
    return app


def _levels(pool: Pool, states: LedgerStates) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/levels")
    async def levels(sku: Annotated[list[str], Query(max_length=500)]) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            return {"levels": await explaining.read_levels(connection, sku)}

    @router.get("/v1/explain/{sku}")
    async def explain(
        sku: str, location: str | None = None, at: AwareDatetime | None = None
    ) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            return await explaining.explain(connection, sku, location, at)

    @router.post("/v1/levels:republish", status_code=202)
    async def republish() -> dict[str, int]:
        return {"levels": await states.republish_all()}

    return router


def _parked(pool: Pool, handler: LedgerHandler) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/parked")
    async def parked(
        after: int = 0,
        reason: str | None = None,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            rows = await parking.open_rows(connection, after=after, reason=reason, limit=limit)
            return {"parked": rows, "counts": await parking.counts(connection)}

    @router.get("/v1/parked/{parked_id}")
    async def show(parked_id: int) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            row = await parking.show(connection, parked_id)
        if row is None:
            raise HTTPException(404, f"no parked message has the id {parked_id}")
        return {
            name: value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else value
            for name, value in row.items()
        }

    @router.post("/v1/parked:replay")
    async def replay(request: ReplayRequest) -> dict[str, int]:
        ids = request.ids
        if not ids:
            async with pool.acquire(timeout=5) as connection:
                ids = await parking.open_ids(connection, reason=request.reason, limit=10_000)
        taken = 0
        for start in range(0, len(ids), REPLAY_SLICE):
            taken += await handler.replay(ids[start : start + REPLAY_SLICE])
        return {"replayed": taken}

    return router
