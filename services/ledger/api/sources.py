"""HTTP of who tells: sources with their roles, silences and gaps, and what observers told."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from services.ledger.domain.sequences import Progress
from services.ledger.handlers import referring
from services.ledger.handlers.roles import Roles, record_at
from services.ledger.repository import observations, silences, sources
from services.ledger.repository.sources import SourceRow
from shared.postgres.connecting import Pool

State = Literal["waiting", "unmatched", "differing", "matched", "withdrawn"]
Limit = Annotated[int, Query(ge=1, le=1000)]


def sources_router(
    pool: Pool, now: Callable[[], datetime], *, overdue_after: timedelta
) -> APIRouter:
    """The routes. An observation is `unmatched` when nothing was posted to compare it with
    `overdue_after` it came; until then it is `waiting`.
    """
    router = APIRouter()

    @router.get("/v1/sources")
    async def list_sources(after: str = "", limit: Limit = 1000) -> dict[str, object]:
        roles = Roles()
        async with pool.acquire(timeout=5) as connection:
            await referring.learn_roles(connection, roles)
            rows = await sources.list_sources(connection, after=after, limit=limit)
            silent = await silences.list_silences(connection)
        at = now()
        return {
            "sources": [
                _source(row, roles, at) | {"silent_at": silent.get(row.source, [])} for row in rows
            ]
        }

    @router.get("/v1/observations")
    async def list_observations(
        state: State = "unmatched", source: str | None = None, after: int = 0, limit: Limit = 100
    ) -> dict[str, object]:
        async with pool.acquire(timeout=5) as connection:
            rows = await observations.list_observations(
                connection, state, overdue_after=overdue_after, after=after, source=source,
                limit=limit,
            )  # fmt: skip
            counts = await observations.counts(connection, overdue_after)
        return {"observations": rows, "counts": counts}

    return router


def _source(row: SourceRow, roles: Roles, now: datetime) -> dict[str, object]:
    """`kind` and `role` are those in force; a source without a record posts."""
    record = record_at(roles.records_of(row.source), now)
    return {
        "source": row.source,
        "declared": record is not None,
        "kind": record.source_kind if record else None,
        "role": record.role if record else "posts",
        "rules": len(record.rules) if record else 0,
        "heard_at": row.heard_at,
        "sequence": _sequence(row.progress, now) if row.progress else None,
    }


def _sequence(progress: Progress, now: datetime) -> dict[str, object]:
    return {
        "lowest": progress.lowest,
        "highest": progress.highest,
        "given_up": progress.given_up,
        "gaps": [
            {"first": gap.first, "last": gap.last, "since": gap.since,
             "age_seconds": int((now - gap.since).total_seconds())}
            for gap in progress.gaps
        ],
    }  # fmt: skip
