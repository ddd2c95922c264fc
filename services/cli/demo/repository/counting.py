"""Counts of the ledger and of what is parked, for the screen and the report."""

from dataclasses import dataclass

from shared.postgres.connecting import Connection

COUNTS = """
select
    (select count(*) from ledger.movements where type = 'opening' and restates is null) as openings,
    (select count(*) from ledger.movements where type <> 'opening' and restates is null)
        as movements,
    (select count(*) from ledger.movements where type = 'return') as returns,
    (select count(*) from orders.orders where folded is not null) as orders,
    (select count(*) from ledger.order_lines where short > 0 or unsourced > 0) as short_lines,
    (select count(*) from ledger.parked where status = 'parked')
        + (select count(*) from availability.parked where status = 'parked')
        + (select count(*) from orders.parked where status = 'parked')
        + (select count(*) from ingestion.parked where status = 'parked')
        + (select count(*) from publication.parked where status = 'parked') as parked
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is of what, now."""

    openings: int
    movements: int
    returns: int
    orders: int
    short_lines: int
    parked: int


async def count_now(connection: Connection) -> Counts:
    """One statement."""
    row = await connection.fetchrow(COUNTS)
    assert row is not None, "an aggregate gives a row"
    return Counts(**dict(row))
