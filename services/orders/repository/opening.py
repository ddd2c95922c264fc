"""How a transaction of the worker begins: behind its fence, with the reference data held still."""

from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# Locks in one order everywhere: positions, the reference version, undecided rows, orders by id,
# returns by id.
FENCE = fence_sql("orders", 1)
BEGIN_SHARED = f"""
with {FENCE} select v.version from gate, orders.reference_version v for share of v
"""  # noqa: S608  (our own text, no value in it)
BEGIN_ALONE = f"""
with {FENCE} select v.version from gate, orders.reference_version v for update of v
"""  # noqa: S608  (as above)
HOLD_SHARED = "select version from orders.reference_version for share"
HOLD_ALONE = "select version from orders.reference_version for update"


async def begin(connection: Connection, batch: Batch, *, alone: bool) -> None:
    """Move the positions and hold the reference data: alone to change it, else with others.

    Raises Fenced when another epoch owns a partition, or its position stands elsewhere. What is
    read in later statements is as committed after the hold was granted.
    """
    slices = batch.slices
    held = await connection.fetchval(
        BEGIN_ALONE if alone else BEGIN_SHARED,
        [part.topic for part in slices], [part.partition for part in slices],
        [part.epoch for part in slices], [part.expected for part in slices],
        [part.next_offset for part in slices],
    )  # fmt: skip
    if held is None:
        raise Fenced


async def begin_unread(connection: Connection, *, alone: bool) -> None:
    """The same for work that no message brought."""
    await connection.execute(HOLD_ALONE if alone else HOLD_SHARED)
