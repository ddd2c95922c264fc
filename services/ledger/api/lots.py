"""HTTP of lots: what is left of each on every shelf, and the way of a lot or a serial number."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query
from pydantic import AwareDatetime

from services.ledger.domain.lots import Lot
from services.ledger.repository import lots
from services.ledger.repository.lots import Shelved
from shared.postgres.connecting import Pool

BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def lots_router(pool: Pool, now: Callable[[], datetime]) -> APIRouter:
    """The routes of lots."""
    router = APIRouter()

    @router.get("/v1/lots")
    async def shelves(
        sku: str | None = None,
        location: str | None = None,
        expiring_by: date | None = None,
        after: int = 0,
        limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    ) -> dict[str, object]:
        """Lots of SKUs that have them, on every shelf, in the order in which they are to go: what
        expires first. Or only those that expire on a day or before. Go on after `next`.
        """
        async with pool.acquire(timeout=5) as connection:
            found = await lots.shelves(connection, sku, location, after, limit)
        today = now().date()
        told = [
            _told(one, lot, today)
            for one in found
            for lot in one.shelf.lots
            if expiring_by is None or (lot.expires_on is not None and lot.expires_on <= expiring_by)
        ]
        return {"lots": told, "next": found[-1].level_id if len(found) == limit else None}

    @router.get("/v1/traces/{sku}")
    async def traces(
        sku: str,
        lot: str | None = None,
        serial: str | None = None,
        after: AwareDatetime | None = None,
        after_id: UUID = UUID(int=0),  # noqa: B008  (a constant)
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    ) -> dict[str, object]:
        """Where a lot or a serial number came from, and where it went."""
        if (lot is None) == (serial is None):
            raise HTTPException(422, "ask for one of `lot` and `serial`")
        async with pool.acquire(timeout=5) as connection:
            found = await lots.trace(
                connection, sku, lot=lot, serial=serial, after=(after or BEGINNING, after_id),
                limit=limit,
            )  # fmt: skip
        return {"sku": sku, "movements": [_movement(row) for row in found]}

    return router


def _told(one: Shelved, lot: Lot, today: date) -> Mapping[str, object]:
    return {
        "sku": one.sku, "location": one.location, "lot": lot.code, "expires_on": lot.expires_on,
        "units": lot.units,
        "days_left": None if lot.expires_on is None else (lot.expires_on - today).days,
    }  # fmt: skip


def _movement(row: Mapping[str, object]) -> dict[str, object]:
    """A movement with what it named: papers, order lines, serial numbers."""
    details = json.loads(str(row["details"]))
    return {**row, "details": details}
