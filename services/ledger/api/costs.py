"""HTTP of costs: what a unit of a SKU costs each legal entity, now or at a past moment."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from services.ledger.domain.costing import State
from services.ledger.repository.costs import Cost, costs_at
from shared.postgres.connecting import Pool


def costs_router(pool: Pool, now: Callable[[], datetime]) -> APIRouter:
    """The route. `is_stale`: movements have come that are not worked out yet."""
    router = APIRouter()

    @router.get("/v1/costs")
    async def costs(
        sku: Annotated[list[str], Query(max_length=500)],
        at: AwareDatetime | None = None,
        entity: str | None = None,
    ) -> dict[str, object]:
        """Weighted average cost by legal entity; `""` is that of locations that name none."""
        moment = at or now()
        async with pool.acquire(timeout=5) as connection:
            found = await costs_at(connection, sku, moment)
        return {"at": moment, "costs": [_told(one, entity) for one in found]}

    return router


def _told(cost: Cost, entity: str | None) -> dict[str, object]:
    return {
        "sku": cost.sku,
        "since": cost.at,
        "is_stale": cost.is_stale,
        "entities": [
            _entity(name, state)
            for name, state in cost.states.items()
            if entity is None or name == entity
        ],
    }


def _entity(name: str, state: State) -> dict[str, object]:
    """`unit_cost` is text, in currency units; `uncosted_units` came in without a usable cost."""
    return {
        "legal_entity": name,
        "unit_cost": None if state.unit_cost is None else str(state.unit_cost),
        "currency": state.currency,
        "uncosted_units": state.uncosted,
    }
