"""HTTP of the ledger: levels, why they are so, holds, sources, parked messages and their replay."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, FastAPI, Query
from pydantic import AwareDatetime
from starlette.applications import Starlette

from services.ledger.api.costs import costs_router
from services.ledger.api.counts import counts_router
from services.ledger.api.goods_in import goods_in_router
from services.ledger.api.holds import ReserveFirst, holds_router
from services.ledger.api.lots import lots_router
from services.ledger.api.sources import sources_router
from services.ledger.domain.counting import Threshold
from services.ledger.handlers.batch import LedgerHandler
from services.ledger.handlers.holding import Holding
from services.ledger.repository import explaining
from services.ledger.repository.parking import PARKING
from services.ledger.repository.publishing import LedgerStates
from services.ledger.repository.suspensions import list_suspended
from services.ledger.repository.transit import list_in_transit
from shared.http.parked import parked_router
from shared.postgres.connecting import Pool
from shared.telemetry.health import Health


def probes(health: Health) -> Starlette:
    """Only the probes, for the worker."""
    return Starlette(routes=health.routes())


def create(
    pool: Pool,
    handler: LedgerHandler,
    states: LedgerStates,
    holding: Holding,
    health: Health,
    *,
    overdue_after: timedelta,
    recount: Threshold,
    transit_overdue_after: timedelta,
    supply_kept_for: timedelta,
) -> FastAPI:
    """The application of the api role; observations are unmatched `overdue_after` they came, and
    counts that differ are done again from `recount` on; what is still on its way after
    `transit_overdue_after` is a discrepancy. Supply orders that are over are compared with what
    came in for `supply_kept_for`.
    """
    app = FastAPI(title="Stocktide ledger", version="1", docs_url=None, redoc_url=None)
    app.router.routes.extend(health.routes())
    app.include_router(_levels(pool, states, holding.now))
    app.include_router(_transit(pool, holding.now, transit_overdue_after))
    app.include_router(costs_router(pool, holding.now))
    app.include_router(counts_router(pool, holding.now, recount))
    app.include_router(goods_in_router(pool, holding.now, supply_kept_for))
    app.include_router(holds_router(holding))
    app.include_router(lots_router(pool, holding.now))
    app.include_router(sources_router(pool, holding.now, overdue_after=overdue_after))
    app.add_middleware(ReserveFirst, holding=holding)
    app.include_router(parked_router(pool, PARKING, handler.replay))
    return app


def _levels(pool: Pool, states: LedgerStates, now: Callable[[], datetime]) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/levels")
    async def levels(sku: Annotated[list[str], Query(max_length=500)]) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            return {"levels": await explaining.read_levels(connection, sku, now())}

    @router.get("/v1/explain/{sku}")
    async def explain(
        sku: str, location: str | None = None, at: AwareDatetime | None = None
    ) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            return await explaining.explain(connection, sku, location, at, now())

    @router.get("/v1/levels/suspended")
    async def suspended(
        location: str | None = None,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, object]:
        """What was looked for in vain and waits to be counted."""
        async with pool.acquire(timeout=5) as connection:
            found = await list_suspended(connection, location=location, after=after, limit=limit)
        return {"levels": found}

    @router.post("/v1/levels:republish", status_code=202)
    async def republish() -> dict[str, int]:
        return {"levels": await states.republish_all()}

    return router


def _transit(pool: Pool, now: Callable[[], datetime], overdue_after: timedelta) -> APIRouter:
    router = APIRouter()

    @router.get("/v1/in-transit")
    async def in_transit(
        location: str | None = None,
        *,
        discrepancies: bool = False,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, object]:
        """What is on its way to each place; or only what should have come, or came of nothing."""
        async with pool.acquire(timeout=5) as connection:
            found = await list_in_transit(
                connection, now() - overdue_after, location=location,
                only_discrepancies=discrepancies, after=after, limit=limit,
            )  # fmt: skip
        return {"levels": found}

    return router
