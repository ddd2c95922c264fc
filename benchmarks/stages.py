"""Where P2's time goes, read from what the services recorded: a hint for tuning, not a figure.

The moments are those at which transactions began, by the database's clock, so the stages leave
gaps and don't add up to an event's time; under coalescing the later ones count attempts.
"""

from dataclasses import dataclass

from shared.postgres.connecting import Connection

PERCENTILES = """
select count(*) as count,
       coalesce(percentile_disc(0.5) within group (order by seconds), 0) as p50,
       coalesce(percentile_disc(0.99) within group (order by seconds), 0) as p99
from ({rows}) x where seconds is not null
"""
# A version is the microseconds since 1970 at which availability's transaction began.
STAGES = (
    (
        "due → the ledger's transaction",
        "select extract(epoch from recorded_at - occurred_at) as seconds from ledger.movements"
        " where type = 'sale' and extract(epoch from occurred_at) >= $1",
    ),
    (
        "availability's transaction → attempt opened",
        "select extract(epoch from opened_at) - version / 1e6 as seconds from publication.attempts"
        " where extract(epoch from opened_at) >= $1",
    ),
    (
        "attempt opened → closed",
        "select extract(epoch from closed_at - opened_at) as seconds from publication.attempts"
        " where extract(epoch from opened_at) >= $1",
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One stretch of the way."""

    name: str
    count: int
    p50_ms: float
    p99_ms: float


async def stages_since(connection: Connection, seconds: float) -> tuple[Stage, ...]:
    """The stages of what happened since a moment (seconds since 1970)."""
    found: list[Stage] = []
    for name, rows in STAGES:
        row = await connection.fetchrow(PERCENTILES.format(rows=rows), seconds)
        assert row is not None, "an aggregate gives a row"
        p50, p99 = (round(float(row[column]) * 1000, 2) for column in ("p50", "p99"))
        found.append(Stage(name=name, count=row["count"], p50_ms=p50, p99_ms=p99))
    return tuple(found)
