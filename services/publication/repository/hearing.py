"""Which units of a channel's own orders the figures include: orders and outcomes in, counts out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.postgres.connecting import Connection

# An order says whose its lines are. A line that names no listing is its SKU's only one, if it is.
# Until the ledger has booked it, it is news when the shop changes it: unpaid orders wait for days.
# One that is called off by then may never be booked, and counts at once: the shop took its units
# and gave them back, and what it was told between the two came out wrong.
TELL_LINES = """
insert into publication.order_lines as o
    (order_id, line_id, channel, listing, sku, changed_at, due_at)
select i.order_id, i.line_id, i.channel, i.listing, i.sku, i.changed_at,
       case when i.is_off then now() end
from unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
            $7::boolean[]) as i(order_id, line_id, channel, listing, sku, changed_at, is_off)
order by 1, 2
on conflict (order_id, line_id) do update
    set channel = excluded.channel, listing = coalesce(excluded.listing, o.listing),
        sku = coalesce(excluded.sku, o.sku), changed_at = excluded.changed_at,
        due_at = coalesce(o.due_at, case when o.wanted <> o.counted then now()
                                         when o.wanted = 0 then excluded.due_at end)
    where o.channel is null
       or (o.listing is null and excluded.listing is not null)
       or (o.version = 0
           and coalesce(o.changed_at < excluded.changed_at, excluded.due_at is not null))
"""
# The ledger's outcome says that the line is booked. The figure that says so too is a moment behind:
# the line may be counted when that moment has passed for sure. A line that was booked and called
# off in between is counted too, with no units.
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
        due_at = case when excluded.wanted <> o.counted or excluded.wanted = 0
                      then excluded.due_at end
    where o.version < excluded.version
"""
# A line is news where what it sold may be missing in what the listing shows. Where the channel
# compares, that is what was booked since the listing's first write, which was blind. Where it does
# not, each write is blind and sets the shop's own count right: a line booked before the latest one
# went is no news. Either way it is demand, each sale weighing less with its age. What was called
# off before it counted has moved no figure, and only where nothing is compared may the listing show
# it: there it is a unit sold and given back. The channel's owner looks at the listing again.
COUNT = """
with due as materialized (
    select order_id, line_id, channel, listing, sku, recorded_at, wanted - counted as units,
           extract(epoch from now() - coalesce(recorded_at, changed_at, now()))::float8 as age,
           case when counted = 0 and wanted > 0
                then extract(epoch from now() - changed_at)::float8 end as lag
    from publication.order_lines
    where due_at <= now() and channel = any($1::text[])
    order by order_id, line_id limit $2 for update skip locked),
counted as (
    update publication.order_lines o set counted = o.wanted, due_at = null
    from due d where o.order_id = d.order_id and o.line_id = d.line_id),
named as (
    select d.*, coalesce(l.listing_id, s.listing_id) as listing_id
    from due d
    left join publication.listings l on l.channel = d.channel and l.listing = d.listing
    left join lateral (
        select min(listing_id) as listing_id from publication.listings s
        where d.listing is null and s.channel = d.channel and s.sku = d.sku and s.is_open
        having count(*) = 1) s on true),
summed as (
    select n.listing_id,
           coalesce(sum(n.units) filter (where w.is_news and n.units > 0), 0)
               + count(*) filter (where w.is_news and w.is_off) as sold,
           coalesce(sum(-n.units) filter (where w.is_news and n.units < 0), 0)
               + count(*) filter (where w.is_news and w.is_off) as back,
           sum(greatest(0, n.units) * exp(-least(30, greatest(0, n.age) / $3::float8))) as demand
    from named n
    join publication.published p on p.listing_id = n.listing_id
    cross join lateral (select n.age < $6::float8 and case
        when n.channel = any($5::text[])
            then not coalesce(p.sent_at <= p.acknowledged_at and n.recorded_at < p.sent_at, false)
        else extract(epoch from n.recorded_at) >= (p.basis ->> 'begun')::float8
        end as is_news, n.units = 0 and n.channel = any($5::text[]) as is_off) w
    group by n.listing_id
    order by n.listing_id),
heard as (
    update publication.listings l
    set heard = l.heard + n.sold, given_back = l.given_back + n.back, demand_at = now(),
        demand = n.demand + case when l.demand > 1e-9 then l.demand * exp(-least(30, greatest(0,
            extract(epoch from now() - l.demand_at)::float8) / $3::float8)) else 0 end
    from summed n where l.listing_id = n.listing_id and n.sold + n.back + n.demand > 0
    returning l.listing_id, l.channel),
handed as (
    insert into publication.handed_over (channel, listing_ids)
    select channel, array_agg(listing_id) from heard group by channel),
lagged as (
    insert into publication.lags as g (channel, seconds)
    select channel, array_agg(lag::real) from due where lag between 0 and $4::float8
    group by channel order by channel
    on conflict (channel) do update set seconds = (excluded.seconds || g.seconds)[1:200])
select count(*) from due
"""
LAGS = "select channel, seconds from publication.lags where channel = any($1::text[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Counting:
    """How long a sale is remembered, and which lags are no lags but a backlog worked off.

    A line older than is kept is no news: it may have been counted and forgotten.
    """

    memory_seconds: float = 600.0
    lag_seconds_max: float = 900.0
    keep_seconds: float = 30 * 86_400.0


COUNTING = Counting()


@dataclass(slots=True)
class LineColumns:
    """Lines of orders, a list per column."""

    orders: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    channels: list[str] = field(default_factory=list)
    listings: list[str | None] = field(default_factory=list)
    skus: list[str | None] = field(default_factory=list)
    changed: list[datetime | None] = field(default_factory=list)
    called_off: list[bool] = field(default_factory=list)


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
            TELL_LINES, told.orders, told.lines, told.channels, told.listings, told.skus,
            told.changed, told.called_off,
        )  # fmt: skip


async def tell_outcomes(connection: Connection, told: OutcomeColumns, after_seconds: float) -> None:
    """Keep what was booked; it may be counted `after_seconds` from now."""
    if told.orders:
        await connection.execute(
            TELL_OUTCOMES, told.orders, told.lines, told.skus, told.wanted, told.versions,
            told.recorded, after_seconds,
        )  # fmt: skip


async def count_heard(
    connection: Connection,
    channels: Sequence[str],
    limit: int,
    blind: Sequence[str],
    counting: Counting,
) -> int:
    """Count what is due of these channels, some of which cannot compare; how many lines."""
    counted: int = await connection.fetchval(
        COUNT, list(channels), limit, counting.memory_seconds, counting.lag_seconds_max,
        list(blind), counting.keep_seconds,
    )  # fmt: skip
    return counted


async def lags(connection: Connection, channels: Sequence[str]) -> dict[str, list[float]]:
    """Seconds that each channel's latest orders took until they counted, the newest first."""
    rows = await connection.fetch(LAGS, list(channels))
    return {row["channel"]: row["seconds"] for row in rows}
