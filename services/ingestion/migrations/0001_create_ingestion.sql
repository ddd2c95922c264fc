create schema ingestion;

create table ingestion.positions (
    topic text not null, partition integer not null, epoch bigint not null, owner text not null,
    next_offset bigint not null, primary key (topic, partition)
) with (fillfactor = 50);

-- What a shop's code is to us, as told on reference-data-v1; dated, since codes move.
create table ingestion.listings (
    channel text not null collate "C", listing text not null collate "C",
    from_at timestamptz not null, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null,
    sku text not null, units bigint not null, fulfilled_by text not null,
    primary key (channel, listing, from_at)
);

-- Deliveries of webhooks, stripped of everything personal before they come here. A body is kept
-- once: ids of deliveries are not signed, and WooCommerce repeats one within a second.
create table ingestion.inbox (
    inbox_id bigint generated always as identity primary key,
    channel text not null, protocol text not null,
    body_sha256 bytea not null,
    delivery_id text, topic text,
    payload jsonb not null,
    received_at timestamptz not null default now(),
    status text not null default 'received'
        check (status in ('received', 'waiting', 'refused', 'folded')),
    waits_for text,                       -- "listing:…" or "order:…": released when it is known
    reason text, detail text,
    settled_at timestamptz,
    unique (channel, body_sha256)
);
create index inbox_received on ingestion.inbox (inbox_id) where status = 'received';
create index inbox_waiting on ingestion.inbox (channel, waits_for) where status = 'waiting';
create index inbox_folded on ingestion.inbox (settled_at) where status = 'folded';

-- Each order as it was last told, so that a late or partial message never undoes a newer state.
create table ingestion.orders (
    order_row bigint generated always as identity primary key,
    order_id text not null collate "C" unique,
    channel text not null,
    state jsonb not null,                 -- an `Order` of orders-v1
    units jsonb not null,                 -- line → base units of one unit of its listing
    refunds jsonb not null,               -- refund → line → base units that are no longer wanted
    changed_at timestamptz not null default now()
);

create table ingestion.unpublished (
    row_id bigint generated always as identity primary key,
    kind text not null check (kind = 'order'),
    partition integer not null,
    keys bigint[] not null,
    created_at timestamptz not null default now()
);

-- The only record of a reference record that could not be read.
create table ingestion.parked (
    parked_id bigint generated always as identity primary key,
    topic text not null, partition integer not null, kafka_offset bigint not null,
    reason text not null, detail text not null,
    key bytea, headers jsonb not null, value bytea,
    parked_at timestamptz not null default now(),
    status text not null default 'parked' check (status in ('parked', 'released', 'dropped')),
    unique (topic, partition, kafka_offset)
);
create index parked_open on ingestion.parked (reason, parked_id) where status = 'parked';
