"""Which units of a channel's own orders the figures include: orders and outcomes in, counts out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.postgres.connecting import Connection

# An order says whose its lines are. A line that names no listing is its SKU's only one, if it is.
TELL_LINES = """
insert into publication.order_lines as o (order_id, line_id, channel, listing, sku)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[]) order by 1, 2
on conflict (order_id, line_id) do update
    set channel = excluded.channel, listing = coalesce(excluded.listing, o.listing),
        sku = coalesce(excluded.sku, o.sku),
        due_at = coalesce(o.due_at, case when o.wanted <> o.counted then now() end)
    where o.channel is null
       or (o.listing is null and excluded.listing is not null)
"""
# The ledger's outcome says that the line is booked. The figure that says so too is a moment behind:
# the line may be counted when that moment has passed for sure.
TELL_OUTCOMES = """
insert into publication.order_lines as o
    (order_id, line_id, sku, wanted, version, recorded_at, due_at)
select i.*, now() + $7::float8 * interval '1 second'
from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::timestamptz[])
    as i(order_id, line_id, sku, wanted, version, recorded_at)
order by 1, 2
on conflict (order_id, line_id) do update
    set sku = excluded.sku, wanted = excluded.wanted, version = excluded.version,
        recorded_at = excluded.recorded_at,
        due_at = case when excluded.wanted <> o.counted then excluded.due_at end
    where o.version < excluded.version
"""
# Counted where the channel compares ($1); elsewhere nothing would ask. A listing's first write is
# blind, and rests on what had been booked by then: only lines booked since are heard of. The
# channel's owner looks at the listing again.
COUNT = """
with due as materialized (
    select order_id, line_id, channel, listing, sku, recorded_at, wanted - counted as units
    from publication.order_lines
    where due_at <= now() and channel = any($1::text[])
    order by order_id, line_id limit $2 for update skip locked),
counted as (
    update publication.order_lines o set counted = o.wanted, due_at = null
    from due d where o.order_id = d.order_id and o.line_id = d.line_id),
named as (
    select p.listing_id, sum(greatest(0, d.units)) as sold, sum(greatest(0, -d.units)) as back
    from due d
    left join publication.listings l on l.channel = d.channel and l.listing = d.listing
    left join lateral (
        select min(listing_id) as listing_id from publication.listings s
        where d.listing is null and s.channel = d.channel and s.sku = d.sku and s.is_open
        having count(*) = 1) s on true
    join publication.published p on p.listing_id = coalesce(l.listing_id, s.listing_id)
        and extract(epoch from d.recorded_at) >= (p.basis ->> 'begun')::float8
    group by p.listing_id
    order by p.listing_id),
heard as (
    update publication.listings l set heard = l.heard + n.sold, given_back = l.given_back + n.back
    from named n where l.listing_id = n.listing_id
    returning l.listing_id, l.channel),
handed as (
    insert into publication.handed_over (channel, listing_ids)
    select channel, array_agg(listing_id) from heard group by channel)
select count(*) from due
"""


@dataclass(slots=True)
class LineColumns:
    """Lines of orders, a list per column."""

    orders: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    listings: list[str | None] = field(default_factory=list)
    skus: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class OutcomeColumns:
    """The ledger's outcomes, the latest per line, a list per column; `wanted` in base units."""

    orders: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    wanted: list[int] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    recorded: list[datetime] = field(default_factory=list)


async def tell_lines(connection: Connection, told: LineColumns) -> None:
    """Keep whose the lines are; one line once."""
    if told.orders:
        await connection.execute(
            TELL_LINES, told.orders, told.lines, told.channels, told.listings, told.skus
        )


async def tell_outcomes(connection: Connection, told: OutcomeColumns, after_seconds: float) -> None:
    """Keep what was booked; it may be counted `after_seconds` from now."""
    if told.orders:
        await connection.execute(
            TELL_OUTCOMES, told.orders, told.lines, told.skus, told.wanted, told.versions,
            told.recorded, after_seconds,
        )  # fmt: skip


async def count_heard(connection: Connection, channels: Sequence[str], limit: int) -> int:
    """Count what is due of these channels; how many lines that were."""
    counted: int = await connection.fetchval(COUNT, list(channels), limit)
    return counted
