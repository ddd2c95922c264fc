"""Counts of the ledger and of what is parked, for the screen and the report."""

from dataclasses import dataclass

from shared.postgres.connecting import Connection

COUNTS = """
select
    (select count(*) from ledger.movements where type = 'opening' and restates is null) as openings,
    (select count(*) from ledger.movements where type <> 'opening' and restates is null)
        as movements,
    (select count(*) from ledger.movements where type = 'return') as returns,
    (select count(distinct order_id) from ledger.order_lines) as orders,
    (select coalesce(sum(wanted), 0)::bigint from ledger.order_lines) as ordered_units,
    (select count(*) from ledger.order_lines where short > 0 or unsourced > 0) as short_lines,
    (select count(*) from ledger.parked where status = 'parked')
        + (select count(*) from availability.parked where status = 'parked')
        + (select count(*) from publication.parked where status = 'parked') as parked,
    (select coalesce(sum(greatest(0, claimed - greatest(0, sellable))), 0)::bigint from (
        select sum(reserved + allocated) as claimed, sum(sellable) as sellable
        from ledger.levels group by sku_id) x) as oversold_units
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """How much there is of what, now."""

    openings: int
    movements: int
    returns: int
    orders: int
    ordered_units: int
    short_lines: int
    parked: int
    oversold_units: int


async def count_now(connection: Connection) -> Counts:
    """One statement."""
    row = await connection.fetchrow(COUNTS)
    assert row is not None, "an aggregate gives a row"
    return Counts(**dict(row))
