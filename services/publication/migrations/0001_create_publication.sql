create schema publication;

create table publication.positions (
    topic text not null, partition integer not null, epoch bigint not null, owner text not null,
    next_offset bigint not null, primary key (topic, partition)
) with (fillfactor = 50);

-- Dated records as told; `channels` and `listings` hold what is in force of them now.
create table publication.channel_records (
    channel text not null collate "C", from_at timestamptz not null, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null, mode text not null,
    primary key (channel, from_at)
);
create table publication.channels (
    channel text primary key collate "C",
    mode text not null check (mode in ('off', 'shadow', 'live')),
    due_at timestamptz                    -- when another record begins or this one ends
);
create index channels_due on publication.channels (due_at) where due_at is not null;

create table publication.listing_records (
    channel text not null collate "C", listing text not null collate "C",
    from_at timestamptz not null, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null,
    sku text not null collate "C", ids jsonb not null, fulfilled_by text not null,
    units bigint not null check (units > 0), mode text,
    primary key (channel, listing, from_at)
);
create table publication.listings (
    listing_id integer generated always as identity primary key,
    channel text not null collate "C",
    listing text not null collate "C",    -- the channel's own id
    sku text not null collate "C", ids jsonb not null, fulfilled_by text not null,
    units bigint not null check (units > 0),
    mode text not null check (mode in ('off', 'shadow', 'live')),
    is_open boolean not null,
    due_at timestamptz,
    unique (channel, listing)
);
create index listings_of_sku on publication.listings (channel, sku);
create index listings_due on publication.listings (due_at) where due_at is not null;

-- The latest figure of each channel for each SKU.
create table publication.figures (
    channel text not null collate "C", sku text not null collate "C",
    version bigint not null, available bigint not null, caused_at timestamptz not null,
    primary key (channel, sku)
) with (fillfactor = 70);

-- How each listing stands: what it was told last, and what it shows as far as anyone knows.
create table publication.published (
    listing_id integer primary key references publication.listings,
    version bigint not null default 0, value bigint not null default 0,
    status text not null default 'unknown'
        check (status in ('acknowledged', 'satisfied', 'refused', 'unknown')),
    shown bigint,
    call_id uuid, sent_at timestamptz, acknowledged_at timestamptz, error_code text,
    refused_version bigint,
    shadow_version bigint, shadow_value bigint
) with (fillfactor = 70);

-- The publication ledger. A row is here before its call; at most one of a listing is open.
create table publication.attempts (
    listing_id integer not null references publication.listings,
    call_id uuid not null,                -- shared by the listings of one call; its idempotency key
    version bigint not null, value bigint not null,
    opened_at timestamptz not null default clock_timestamp(),
    deadline timestamptz not null,
    closed_at timestamptz, outcome text, code text, detail text,
    read_value bigint, read_at timestamptz,
    primary key (listing_id, call_id)
) with (fillfactor = 70);
create unique index attempts_open on publication.attempts (listing_id) where closed_at is null;

-- One owner per channel. The epoch tells an owner's turns apart.
create table publication.leases (
    channel text primary key collate "C", owner text not null, epoch bigint not null,
    until_at timestamptz not null
) with (fillfactor = 50);

-- Listings that changed in a worker that does not own their channel; their owner takes the rows.
create table publication.handed_over (
    row_id bigint generated always as identity primary key,
    channel text not null collate "C", listing_ids integer[] not null
);

create table publication.resyncs (
    resync_id bigint generated always as identity primary key,
    channel text not null collate "C", requested_at timestamptz not null default now(),
    is_confirmed boolean not null, listings bigint not null, changed bigint not null,
    zeroed bigint not null,
    cursor_id integer not null default 0, -- listings up to here have been told
    finished_at timestamptz
);
create unique index resyncs_running on publication.resyncs (channel) where finished_at is null;

create table publication.unpublished (
    row_id bigint generated always as identity primary key,
    kind text not null default 'listing', partition integer not null, keys bigint[] not null,
    created_at timestamptz not null default now()
);

create table publication.parked (
    parked_id bigint generated always as identity primary key,
    topic text not null, partition integer not null, kafka_offset bigint not null,
    reason text not null, detail text not null,
    key bytea, headers jsonb not null, value bytea,
    parked_at timestamptz not null default now(),
    status text not null default 'parked' check (status in ('parked', 'released', 'dropped')),
    unique (topic, partition, kafka_offset)
);
