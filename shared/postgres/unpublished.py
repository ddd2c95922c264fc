"""Rows that say what a commit has left to be told; every service has a table of the same shape."""

from collections.abc import Collection, Sequence

from shared.kafka.relaying import Dirty
from shared.postgres.connecting import Pool

UNPUBLISHED = """
select row_id, kind, keys from {schema}.unpublished
where partition = any($1::integer[]) and row_id <> all($3::bigint[]) order by row_id limit $2
"""
FORGET = "delete from {schema}.unpublished where row_id = any($1::bigint[])"
OLDEST = "select coalesce(extract(epoch from now() - min(created_at)), 0) from {schema}.unpublished"


class UnpublishedRows:
    """The relay's port to one service's rows, but for the states that their keys name.

    One connection of the pool per call, short statements.
    """

    def __init__(self, pool: Pool, *, schema: str) -> None:
        self._pool = pool
        self._unpublished = UNPUBLISHED.format(schema=schema)
        self._forget = FORGET.format(schema=schema)
        self._oldest = OLDEST.format(schema=schema)

    async def unpublished(
        self, partitions: Collection[int], limit: int, besides: Collection[int] = ()
    ) -> Dirty:
        """Open rows of these partitions but for those named, oldest first; the union of their
        keys.
        """
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(self._unpublished, list(partitions), limit, list(besides))
        keys = {(row["kind"], key) for row in rows for key in row["keys"]}
        return Dirty(rows=[row["row_id"] for row in rows], keys=keys)

    async def forget(self, rows: Sequence[int]) -> None:
        """Delete exactly the rows whose keys have been acknowledged."""
        async with self._pool.acquire(timeout=5) as connection:
            await connection.execute(self._forget, list(rows))

    async def oldest_seconds(self) -> float:
        """Age of the oldest row; an invariant says that it stays under five seconds."""
        async with self._pool.acquire(timeout=5) as connection:
            return float(await connection.fetchval(self._oldest))
