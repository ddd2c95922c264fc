"""`/v1/parked`: the messages that a service refused, for people, and their way back."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query
from fastapi.params import Depends
from pydantic import BaseModel, Field

from shared.postgres.connecting import Pool
from shared.postgres.parking import Parking

REPLAY_SLICE = 500
IDS_MAX = 10_000

Replay = Callable[[Collection[int]], Awaitable[int]]


class ReplayRequest(BaseModel):
    """Which parked messages to bring back: by id, by reason, or all that are open."""

    ids: list[int] = Field(default_factory=list, max_length=IDS_MAX)
    reason: str | None = None


def parked_router(
    pool: Pool, parking: Parking, replay: Replay, *, guards: Sequence[Depends] = ()
) -> APIRouter:
    """The routes. `replay` takes open rows by id and applies them in one transaction; it returns
    how many it took, and a message that is refused again is parked again.
    """
    router = APIRouter(dependencies=list(guards))

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
        return row

    @router.post("/v1/parked/{parked_id}/replay")
    async def replay_one(parked_id: int) -> dict[str, object]:
        """Once is enough: a message that has been brought back already is left alone."""
        await show(parked_id)
        taken = await replay([parked_id])
        row = await show(parked_id)
        return {"replayed": taken, "status": row["status"], "reason": row["reason"]}

    @router.post("/v1/parked:replay")
    async def replay_many(request: ReplayRequest) -> dict[str, int]:
        ids = request.ids
        if not ids:
            async with pool.acquire(timeout=5) as connection:
                ids = await parking.open_ids(connection, reason=request.reason, limit=IDS_MAX)
        taken = 0
        for start in range(0, len(ids), REPLAY_SLICE):
            taken += await replay(ids[start : start + REPLAY_SLICE])
        return {"replayed": taken}

    return router
