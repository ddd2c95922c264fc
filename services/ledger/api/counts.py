"""HTTP of counts: sheets to count by, and what counts have found."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import AwareDatetime, BaseModel

from services.ledger.domain.counting import Threshold, summed
from services.ledger.handlers.costing import entities_of
from services.ledger.handlers.counting import count_told, csv_of, summary_told, variance_of
from services.ledger.repository import costs, counting
from shared.contracts.fields import LocationId
from shared.postgres.connecting import Pool

FIRST = UUID(int=0)
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)
USUALLY = timedelta(days=30)


class Closing(BaseModel):
    """Which counts are closed: those of a location up to a moment, now unless told."""

    location: LocationId
    until: AwareDatetime | None = None


def counts_router(pool: Pool, now: Callable[[], datetime], threshold: Threshold) -> APIRouter:
    """The routes; from `threshold` on a count is to be done again, unless asked otherwise."""
    router = APIRouter()

    @router.get("/v1/count-sheets/{location}", response_model=None)
    async def count_sheet(
        location: str,
        *,
        suspended: bool = False,
        after: str = "",
        limit: Annotated[int, Query(ge=1, le=50_000)] = 10_000,
        format: Annotated[str, Query(pattern="^(json|csv)$")] = "json",
    ) -> Response | dict[str, object]:
        """What is to be counted at a location, without the book's figures; go on after the last."""
        async with pool.acquire(timeout=5) as connection:
            skus = await counting.sheet(
                connection, location, only_suspended=suspended, after=after, limit=limit
            )
        if format == "csv":
            return Response(csv_of(skus, location), media_type="text/csv")
        return {"location": location, "at": now(), "skus": skus}

    @router.get("/v1/counts")
    async def counts(
        location: str | None = None,
        sku: str | None = None,
        since: AwareDatetime | None = None,
        after: AwareDatetime | None = None,
        after_id: UUID = FIRST,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
        recount_units: Annotated[int | None, Query(ge=1)] = None,
        recount_value: Annotated[Decimal | None, Query(gt=0)] = None,
    ) -> dict[str, object]:
        """Counts of the last 30 days, or `since`: variance, value, whether to count again."""
        bound = Threshold(recount_units or threshold.units, recount_value or threshold.value)
        async with pool.acquire(timeout=5) as connection:
            entities = entities_of(await costs.location_records(connection))
            rows = await counting.counts_since(
                connection, location=location, sku=sku, since=since or now() - USUALLY,
                after=(after or BEGINNING, after_id), limit=limit,
            )  # fmt: skip
        found = [variance_of(row, entities) for row in rows]
        told = [count_told(row, one, bound) for row, one in zip(rows, found, strict=True)]
        return {"counts": told, "summary": summary_told(summed(found))}

    router.add_api_route(
        "/v1/count-closings", _closes(pool, now), methods=["POST"], status_code=201
    )
    return router


def _closes(
    pool: Pool, now: Callable[[], datetime]
) -> Callable[[Closing], Awaitable[dict[str, object]]]:
    async def close_counts(asked: Closing) -> dict[str, object]:
        """Close the counts of a location: their variances stay as they are now."""
        until = min(asked.until or now(), now())
        async with pool.acquire(timeout=5) as connection:
            closed = await counting.close(connection, asked.location, until)
        if closed is None:
            raise HTTPException(404, f"nobody knows the location {asked.location}")
        closed_at, counts = closed
        told = {"location": asked.location, "until": until}
        return {**told, "closed_at": closed_at, "counts": counts}

    return close_counts
