"""Requests that wait: what SKUs owe, what is expected of them, and places for what waits."""

from collections.abc import Collection, Mapping
from datetime import datetime

from services.ledger.domain.waiting import Coming, Outlook
from services.ledger.repository.references import Known, create_levels
from services.ledger.repository.supply import open_lines
from shared.postgres.connecting import Connection

OWED = """
select s.sku, s.sku_id, (
    (select coalesce(sum(h.quantity), 0) from ledger.holds h
     where h.sku_id = s.sku_id and h.is_waiting and h.settled_at is null
       and (h.held_until is null or h.held_until > $2))
    + (select coalesce(sum(o.short + o.unsourced), 0) from ledger.order_lines o
       where o.sku_id = s.sku_id and (o.short > 0 or o.unsourced > 0)))::bigint as owed
from ledger.skus s where s.sku = any($1::text[])
"""
PLACES = "select location, location_id from ledger.locations where location = any($1::text[])"
WAIT = """
update ledger.order_lines o set waits = o.waits + i.units
from unnest($1::bigint[], $2::bigint[]) as i(order_line_id, units)
where o.order_line_id = i.order_line_id
"""


async def read_outlooks(
    connection: Connection, skus: Collection[str], now: datetime
) -> dict[str, Outlook]:
    """What each of the SKUs owes, and what is confirmed, dated and still to come of it."""
    coming: dict[str, list[Coming]] = {}
    for line in await open_lines(connection, skus):
        if line.expected_at is None or line.hindrance(now, {line.location}) is not None:
            continue
        if line.units:
            found = Coming(line.expected_at, line.units, line.location)
            coming.setdefault(line.sku, []).append(found)
    return {
        row["sku"]: Outlook(row["owed"], tuple(sorted(coming.get(row["sku"], ()))))
        for row in await connection.fetch(OWED, list(skus), now)
    }


async def make_levels(connection: Connection, wanted: Collection[tuple[int, str]]) -> None:
    """Levels for (SKU's number, location) that have none yet; unknown locations get none."""
    rows = await connection.fetch(PLACES, [location for _, location in wanted])
    numbers = {row["location"]: row["location_id"] for row in rows}
    keys = {(sku_id, numbers[location]) for sku_id, location in wanted if location in numbers}
    await create_levels(connection, Known(), sorted(keys))


async def note_waiting(connection: Connection, units: Mapping[int, int]) -> None:
    """These order lines, by number, were accepted to wait for so many of their units."""
    await connection.execute(WAIT, list(units), list(units.values()))
