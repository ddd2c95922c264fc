"""Reference records in: channels, listings and categories, and what is in force of them now."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from shared.postgres.connecting import Connection

TELL_CHANNELS = """
insert into publication.channel_records as r
    (channel, from_at, until_at, revision, is_deleted, mode, category_modes)
select channel, from_at, until_at, revision, is_deleted, mode, category_modes::jsonb
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[],
            $5::boolean[], $6::text[], $7::text[])
    as i(channel, from_at, until_at, revision, is_deleted, mode, category_modes)
order by 1, 2
on conflict (channel, from_at) do update
    set until_at = excluded.until_at, revision = excluded.revision,
        is_deleted = excluded.is_deleted, mode = excluded.mode,
        category_modes = excluded.category_modes
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
TELL_CATEGORIES = """
insert into publication.category_records as r
    (sku, from_at, until_at, revision, is_deleted, category)
select sku, from_at, until_at, revision, is_deleted, category::jsonb
from unnest($1::text[], $2::timestamptz[], $3::timestamptz[], $4::bigint[], $5::boolean[],
            $6::text[])
    as i(sku, from_at, until_at, revision, is_deleted, category)
order by 1, 2
on conflict (sku, from_at) do update
    set until_at = excluded.until_at, revision = excluded.revision,
        is_deleted = excluded.is_deleted, category = excluded.category
    where r.revision <= excluded.revision
"""

# What is in force now: the record that began last, unless it has ended. Where none is, a channel
# is off and a listing closed; both keep their row. A paused channel is off as well, once the resync
# that goes before its silence is done. Of a listing's own mode and that of its category (the
# deepest that the channel names) the more careful one holds.
RESOLVE_CHANNELS = """
insert into publication.channels as c (channel, mode, category_modes, due_at)
select k.channel, case when p.channel is null then coalesce(r.mode, 'off') else 'off' end,
       coalesce(r.category_modes, '[]'), d.due_at
from (select distinct unnest($1::text[]) as channel) k
left join lateral (
    select mode, category_modes from publication.channel_records r
    where r.channel = k.channel and not r.is_deleted and r.from_at <= $2
      and (r.until_at is null or r.until_at > $2)
    order by r.from_at desc limit 1) r on true
left join lateral (
    select min(at) as due_at from publication.channel_records r,
        lateral (values (r.from_at), (r.until_at)) as v(at)
    where r.channel = k.channel and not r.is_deleted and at > $2) d on true
left join publication.pauses p on p.channel = k.channel
    and not exists (select from publication.resyncs s
                    where s.resync_id = p.first_resync and s.finished_at is null)
order by k.channel
on conflict (channel) do update
    set mode = excluded.mode, category_modes = excluded.category_modes, due_at = excluded.due_at
returning c.channel, c.category_modes::text
"""
RESOLVE_LISTINGS = """
insert into publication.listings as l
    (channel, listing, sku, ids, fulfilled_by, units, mode, is_open, due_at)
select k.channel, k.listing, r.sku, r.ids, r.fulfilled_by, r.units,
       case when 'off' in (r.mode, m.mode) then 'off' when 'shadow' in (r.mode, m.mode)
            then 'shadow' else 'live' end,
       r.is_in_force, d.due_at
from (select distinct * from unnest($1::text[], $2::text[]) as k(channel, listing)) k
join lateral (
    select r.*, not r.is_deleted and r.from_at <= $3 and (r.until_at is null or r.until_at > $3)
           as is_in_force
    from publication.listing_records r
    where r.channel = k.channel and r.listing = k.listing
    order by is_in_force desc, r.from_at desc limit 1) r on true
left join lateral (
    select e ->> 'mode' as mode
    from publication.channels c, jsonb_array_elements(c.category_modes) e, lateral (
        select category from publication.category_records g
        where g.sku = r.sku and not g.is_deleted and g.from_at <= $3
          and (g.until_at is null or g.until_at > $3)
        order by g.from_at desc limit 1) g
    where c.channel = k.channel and not exists (
        select from jsonb_array_elements(e -> 'category') with ordinality as x(name, place)
        where g.category -> (place - 1)::integer is distinct from name)
    order by jsonb_array_length(e -> 'category') desc limit 1) m on true
left join lateral (
    select min(at) as due_at from (
        select r.from_at, r.until_at from publication.listing_records r
        where r.channel = k.channel and r.listing = k.listing and not r.is_deleted
        union all
        select g.from_at, g.until_at from publication.category_records g
        where g.sku = r.sku and not g.is_deleted) t,
        lateral (values (t.from_at), (t.until_at)) as v(at)
    where at > $3) d on true
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
MODES_BEFORE = """
select channel, category_modes::text from publication.channels where channel = any($1::text[])
"""
OF_CHANNELS = "select channel, listing from publication.listings where channel = any($1::text[])"
OF_SKUS = """
select l.channel, l.listing
from publication.channels c join publication.listings l on l.channel = c.channel
where c.category_modes <> '[]' and l.sku = any($1::text[])
"""
DUE_CHANNELS = "select channel from publication.channels where due_at <= $1"


@dataclass(slots=True)
class ChannelColumns:
    """Channel records, a list per column; `category_modes` are JSON text."""

    channels: list[str] = field(default_factory=list)
    begins: list[datetime] = field(default_factory=list)
    ends: list[datetime | None] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)
    modes: list[str] = field(default_factory=list)
    category_modes: list[str] = field(default_factory=list)


@dataclass(slots=True)
class CategoryColumns:
    """Products as far as their category goes, a list per column; a category is a JSON path."""

    skus: list[str] = field(default_factory=list)
    begins: list[datetime] = field(default_factory=list)
    ends: list[datetime | None] = field(default_factory=list)
    revisions: list[int] = field(default_factory=list)
    deleted: list[bool] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)


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
class ReferenceColumns:
    """All reference records of a batch that publication keeps."""

    channels: ChannelColumns = field(default_factory=ChannelColumns)
    categories: CategoryColumns = field(default_factory=CategoryColumns)
    listings: ListingColumns = field(default_factory=ListingColumns)

    def __bool__(self) -> bool:
        return bool(self.channels.channels or self.categories.skus or self.listings.channels)


async def fold_references(
    connection: Connection, told: ReferenceColumns, now: datetime
) -> tuple[list[str], list[int]]:
    """Keep the records, those first that others look up; the channels and listings they touch."""
    channels = await fold_channels(connection, told.channels, now)
    recategorised = await fold_categories(connection, told.categories, now)
    listings = await fold_listings(connection, told.listings, now)
    return channels, [*recategorised, *listings]


async def fold_channels(connection: Connection, told: ChannelColumns, now: datetime) -> list[str]:
    """Keep channel records; returns the channels whose mode may have changed."""
    if not told.channels:
        return []
    columns = (
        told.channels, told.begins, told.ends, told.revisions, told.deleted, told.modes,
        told.category_modes,
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


async def fold_categories(
    connection: Connection, told: CategoryColumns, now: datetime
) -> list[int]:
    """Keep categories; returns the listings whose mode may have changed."""
    if not told.skus:
        return []
    columns = (told.skus, told.begins, told.ends, told.revisions, told.deleted, told.categories)
    await connection.execute(TELL_CATEGORIES, *columns)
    rows = await connection.fetch(OF_SKUS, told.skus)
    return await resolve_listings(
        connection, [row["channel"] for row in rows], [row["listing"] for row in rows], now
    )


async def resolve_channels(
    connection: Connection, channels: Sequence[str], now: datetime
) -> list[str]:
    """Put in force what holds at `now`; where modes by category changed, for listings as well."""
    before = {r["channel"]: r["category_modes"] for r in await connection.fetch(
        MODES_BEFORE, channels
    )}  # fmt: skip
    rows = await connection.fetch(RESOLVE_CHANNELS, channels, now)
    changed = [r["channel"] for r in rows if before.get(r["channel"], "[]") != r["category_modes"]]
    if changed:
        keys = await connection.fetch(OF_CHANNELS, changed)
        await resolve_listings(
            connection, [r["channel"] for r in keys], [r["listing"] for r in keys], now
        )
    return [row["channel"] for row in rows]


async def resolve_listings(
    connection: Connection, channels: Sequence[str], listings: Sequence[str], now: datetime
) -> list[int]:
    """Put in force what holds at `now`."""
    if not channels:
        return []
    rows = await connection.fetch(RESOLVE_LISTINGS, channels, listings, now)
    return [row["listing_id"] for row in rows]
