"""What the relay reads and forgets: records as they stand, which a file has brought."""

from collections.abc import Collection, Sequence

import asyncpg

from shared.contracts.cloudevents import headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.producing import Outgoing
from shared.postgres.connecting import Pool
from shared.postgres.unpublished import UnpublishedRows

SOURCE = "stocktide:catalog"

LATEST = """
select record_number, kind, record_id, revision, record::text as record, recorded_at
from catalog.records where record_number = any($1::bigint[]) order by record_number
"""


class CatalogStates(UnpublishedRows):
    """The relay's port to the catalog. One connection of the pool per call, short statements."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool, schema="catalog")

    async def latest(self, keys: Collection[tuple[str, int]]) -> Sequence[Outgoing]:
        """Records as they stand now, as messages."""
        async with self._pool.acquire(timeout=5) as connection:
            rows = await connection.fetch(LATEST, [key for _, key in keys])
        return [_message(row) for row in rows]


def _message(row: asyncpg.Record) -> Outgoing:
    """A record's message; it was read by its contract before it was kept."""
    key = f"{row['kind']}|{row['record_id']}".encode()
    return Outgoing(
        topic=REFERENCE_DATA.name, partition=partition_for(key, REFERENCE_DATA.partitions),
        key=key, value=row["record"].encode(),
        headers=headers_for(
            id_=f"record-{row['record_number']}@{row['revision']}", source=SOURCE,
            type_=REFERENCE_DATA.ce_type, time=row["recorded_at"],
        ),
    )  # fmt: skip
