"""Reference records and figures in, the listings they touch out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import asyncpg

from services.publication.domain.wanting import Desired, Listing, Mode, value_for
from shared.postgres.connecting import Connection
from shared.postgres.positions import fence_sql

# The largest value that each channel can show, where it has one.
Maxima = Mapping[str, int | None]
FenceArrays = tuple[list[str], list[int], list[int], list[int], list[int]]
NO_FENCE: FenceArrays = ([], [], [], [], [])

FENCE_ONLY = f"with {fence_sql('publication', 1)} select count(*) from gate"  # noqa: S608  (own SQL)

COLUMNS = """
    l.listing_id, l.channel, l.listing, l.sku, l.ids, l.fulfilled_by, l.units, l.mode, l.is_open,
    coalesce(c.mode, 'off') as channel_mode,
    p.shown, p.shadow_value, p.refused_version
"""

# Positions first, then leases, then figures in the order of their key: every fold locks in this
# order. The lease rows are locked, so that a new owner reads what was folded before it took over;
# what another process owns ($13: of the channels that have a connector) is handed over.
FOLD = f"""
with {fence_sql("publication", 1)},
held as materialized (
    select l.channel from publication.leases l
    join unnest($11::text[], $12::bigint[]) as m(channel, epoch)
      on m.channel = l.channel and m.epoch = l.epoch
    where exists (select from gate)
    order by l.channel for share of l),
input as materialized (
    select i.* from gate, unnest($6::text[], $7::text[], $8::bigint[], $9::bigint[],
                                 $10::timestamptz[])
        as i(channel, sku, version, available, caused_at)),
kept as (
    insert into publication.figures as f (channel, sku, version, available, caused_at)
    select * from input order by channel, sku
    on conflict (channel, sku) do update
        set version = excluded.version, available = excluded.available,
            caused_at = excluded.caused_at
        where f.version < excluded.version
    returning channel, sku, version, available, caused_at),
touched as materialized (
    select k.version, k.available, k.caused_at, l.* from kept k
    cross join lateral (
        select * from publication.listings l where l.channel = k.channel and l.sku = k.sku
        offset 0) l),  -- a fence for the planner: look up by key, whatever it thinks of the table
handed as (
    insert into publication.handed_over (channel, listing_ids)
    select channel, array_agg(listing_id) from touched
    where channel = any($13::text[]) and channel not in (select channel from held)
      and is_open and fulfilled_by <> 'channel'
    group by channel),
relaxed as materialized (
    select set_config('synchronous_commit', 'off', true) where $14::boolean)
select g.is_open as is_open_gate, g.held, g.relaxed, {COLUMNS}, l.version, l.available, l.caused_at
from (select (select count(*) from gate) as is_open, (select count(*) from relaxed) as relaxed,
             (select array_agg(channel) from held) as held) g
left join touched l on true
left join publication.channels c on c.channel = l.channel
left join publication.published p on p.listing_id = l.listing_id
"""  # noqa: S608  (only the fence's and this module's own SQL is put into the text)

SELECT = f"""
select {COLUMNS}, f.version, f.available, f.caused_at
from publication.listings l
join publication.figures f on f.channel = l.channel and f.sku = l.sku
left join publication.channels c on c.channel = l.channel
left join publication.published p on p.listing_id = l.listing_id
"""  # noqa: S608  (as above)
BY_ID = f"{SELECT} where l.listing_id = any($1::integer[])"
AFTER = f"{SELECT} where l.channel = $1 and l.listing_id > $2 order by l.listing_id limit $3"

TELL_CHANNELS = """
insert into publication.channel_records as r
    (channel, from_at, until_at, revision, is_deleted, mode)
select * from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[],
                     $5::boolean[], $6::text[])
order by 1, 2
on conflict (channel, from_at) do update
    set until_at = excluded.until_at, revision = excluded.revision,
        is_deleted = excluded.is_deleted, mode = excluded.mode
    where r.revision <= excluded.revision
"""
TELL_LISTINGS = """
insert into publication.listing_records as r
    (channel, listing, from_at, until_at, revision, is_deleted, sku, ids, fulfilled_by, units, mode)
select channel, listing, from_at, until_at, revision, is_deleted, sku, ids::jsonb, fulfilled_by,
       units, mode
from unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::bigint[],
            $6::boolean[], $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[])
    as i(channel, listing, from_at, until_at, revision, is_deleted, sku, ids, fulfilled_by,
         units, mode)
order by 1, 2, 3
on conflict (channel, listing, from_at) do update
    set until_at = excluded.until_at, revision = excluded.revision,
        is_deleted = excluded.is_deleted, sku = excluded.sku, ids = excluded.ids,
        fulfilled_by = excluded.fulfilled_by, units = excluded.units, mode = excluded.mode
    where r.revision <= excluded.revision
"""

# What is in force now: the record that began last, unless it has ended. Where none is, a channel
# is off and a listing closed; both keep their row.
RESOLVE_CHANNELS = """
insert into publication.channels as c (channel, mode, due_at)
select k.channel, coalesce(r.mode, 'off'), d.due_at
from (select distinct unnest($1::text[]) as channel) k
left join lateral (
    select mode from publication.channel_records r
    where r.channel = k.channel and not r.is_deleted and r.from_at <= $2
      and (r.until_at is null or r.until_at > $2)
    order by r.from_at desc limit 1) r on true
left join lateral (
    select min(at) as due_at from publication.channel_records r,
        lateral (values (r.from_at), (r.until_at)) as v(at)
    where r.channel = k.channel and not r.is_deleted and at > $2) d on true
order by k.channel
on conflict (channel) do update set mode = excluded.mode, due_at = excluded.due_at
returning c.channel
"""
RESOLVE_LISTINGS = """
insert into publication.listings as l
    (channel, listing, sku, ids, fulfilled_by, units, mode, is_open, due_at)
select k.channel, k.listing, r.sku, r.ids, r.fulfilled_by, r.units, coalesce(r.mode, 'live'),
       r.is_in_force, d.due_at
from (select distinct * from unnest($1::text[], $2::text[]) as k(channel, listing)) k
join lateral (
    select r.*, not r.is_deleted and r.from_at <= $3 and (r.until_at is null or r.until_at > $3)
           as is_in_force
    from publication.listing_records r
    where r.channel = k.channel and r.listing = k.listing
    order by is_in_force desc, r.from_at desc limit 1) r on true
left join lateral (
    select min(at) as due_at from publication.listing_records r,
        lateral (values (r.from_at), (r.until_at)) as v(at)
    where r.channel = k.channel and r.listing = k.listing and not r.is_deleted and at > $3) d
    on true
order by k.channel, k.listing
on conflict (channel, listing) do update
    set sku = excluded.sku, ids = excluded.ids, fulfilled_by = excluded.fulfilled_by,
        units = excluded.units, mode = excluded.mode, is_open = excluded.is_open,
        due_at = excluded.due_at
returning l.listing_id
"""
DUE_LISTINGS = """
select channel, listing from publication.listings where due_at <= $1 order by due_at limit 1000
"""
# Listings that show something else than they should while nothing is on its way to them: there is
# no known road to this, and a sweep costs little.
ASTRAY = """
select l.listing_id
from publication.listings l
join publication.channels c on c.channel = l.channel and c.mode = 'live'
join publication.figures f on f.channel = l.channel and f.sku = l.sku
left join publication.published p on p.listing_id = l.listing_id
where l.channel = $1 and l.is_open and l.mode = 'live' and l.fulfilled_by <> 'channel'
  and p.shown is distinct from least($2::bigint, greatest(0, f.available) / l.units)
  and p.refused_version is distinct from f.version
  and not exists (select from publication.attempts a
                  where a.listing_id = l.listing_id and a.closed_at is null)
order by l.listing_id limit $3
"""
DUE_CHANNELS = "select channel from publication.channels where due_at <= $1"


@dataclass(slots=True)
class ChannelColumns:
    """Channel records, a list per column."""

    channels: list[str] = field(default_factory=list)
    begins: list[datetime] = field(default_factory=list)
    ends: list[datetime | None] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class ListingColumns:
    """Listing records, a list per column; `ids` are JSON text."""

    channels: list[str] = field(default_factory=list)
    listings: list[str] = field(default_factory=list)
    begins: list[datetime] = field(default_factory=list)
    ends: list[datetime | None] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    fulfilled_by: list[str] = field(default_factory=list)
    units: list[int] = field(default_factory=list)
    modes: list[str | None] = field(default_factory=list)


@dataclass(slots=True)
class FigureColumns:
    """Figures, the latest per channel and SKU, a list per column."""

    channels: list[str] = field(default_factory=list)
    skus: list[str] = field(default_factory=list)
    versions: list[int] = field(default_factory=list)
    available: list[int] = field(default_factory=list)
    caused: list[datetime] = field(default_factory=list)


@dataclass(frozen=True, slots=True, kw_only=True)
class Touched:
    """A listing whose figure or terms changed, with its channel's mode."""

    desired: Desired
    channel_mode: Mode


async def hold_fence(connection: Connection, fence: FenceArrays) -> bool:
    """Move the positions alone; says whether the gate was open."""
    return bool(await connection.fetchval(FENCE_ONLY, *fence))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ownership:
    """Whose channels a fold knows to be its own: epochs under which, and all with a connector."""

    channels: Sequence[str] = ()
    epochs: Sequence[int] = ()
    connected: Sequence[str] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Folded:
    """The listings that a fold touched, and the channels that were ours while it did."""

    touched: list[Touched]
    held: frozenset[str]


async def fold_figures(
    connection: Connection,
    fence: FenceArrays,
    figures: FigureColumns,
    maxima: Maxima,
    ownership: Ownership | None,
) -> Folded | None:
    """Keep what is newer than known; None when the batch was fenced, and nothing changed.

    With an ownership the statement stands alone: it hands over what is not ours, and need not
    wait for the disk, since Kafka tells again what is lost. Without, its transaction does both.
    """
    o = ownership or Ownership()
    rows = await connection.fetch(
        FOLD, *fence, figures.channels, figures.skus, figures.versions, figures.available,
        figures.caused, o.channels, o.epochs, o.connected, ownership is not None,
    )  # fmt: skip
    if not rows[0]["is_open_gate"]:
        return None
    touched = [touched_of(row, maxima) for row in rows if row["listing_id"] is not None]
    return Folded(touched=touched, held=frozenset(rows[0]["held"] or ()))


async def fold_channels(connection: Connection, told: ChannelColumns, now: datetime) -> list[str]:
    """Keep channel records; returns the channels whose mode may have changed."""
    if not told.channels:
        return []
    columns = (
        told.channels, told.begins, told.ends, told.revisions, told.deleted, told.modes,
    )  # fmt: skip
    await connection.execute(TELL_CHANNELS, *columns)
    return await resolve_channels(connection, told.channels, now)


async def fold_listings(connection: Connection, told: ListingColumns, now: datetime) -> list[int]:
    """Keep listing records; returns the listings whose terms may have changed."""
    if not told.channels:
        return []
    columns = (
        told.channels, told.listings, told.begins, told.ends, told.revisions, told.deleted,
        told.skus, told.ids, told.fulfilled_by, told.units, told.modes,
    )  # fmt: skip
    await connection.execute(TELL_LISTINGS, *columns)
    return await resolve_listings(connection, told.channels, told.listings, now)


async def resolve_channels(
    connection: Connection, channels: Sequence[str], now: datetime
) -> list[str]:
    """Put in force what holds at `now`."""
    rows = await connection.fetch(RESOLVE_CHANNELS, channels, now)
    return [row["channel"] for row in rows]


async def resolve_listings(
    connection: Connection, channels: Sequence[str], listings: Sequence[str], now: datetime
) -> list[int]:
    """Put in force what holds at `now`."""
    rows = await connection.fetch(RESOLVE_LISTINGS, channels, listings, now)
    return [row["listing_id"] for row in rows]


def touched_of(row: asyncpg.Record, maxima: Maxima) -> Touched:
    """A row of `COLUMNS` with its figure, as the value that the listing can show."""
    refused = row["refused_version"]
    listing = Listing(
        listing_id=row["listing_id"], channel=row["channel"], code=row["listing"], sku=row["sku"],
        ids=json.loads(row["ids"]) if row["ids"] != "{}" else {},
        is_fulfilled_by_channel=row["fulfilled_by"] == "channel",
        is_open=row["is_open"], units=row["units"], mode=Mode(row["mode"]),
        shown_in_shadow=row["shadow_value"], refused_version=refused,
    )  # fmt: skip
    desired = Desired(
        listing=listing, version=row["version"], shown=row["shown"],
        value=value_for(row["available"], row["units"], maxima.get(listing.channel)),
        caused_at=row["caused_at"].timestamp(),
    )  # fmt: skip
    return Touched(desired=desired, channel_mode=Mode(row["channel_mode"]))
