create schema orders;

create table orders.positions (
    topic text not null, partition integer not null, epoch bigint not null, owner text not null,
    next_offset bigint not null, primary key (topic, partition)
) with (fillfactor = 50);

-- One row. Who decides holds it shared, who changes reference data holds it alone: a decision is
-- either made with the change, or committed before it and found by it.
create table orders.reference_version (version bigint not null);
insert into orders.reference_version values (0);

create table orders.channels (
    record_id text primary key collate "C", channel text not null collate "C",
    revision bigint not null, deleted boolean not null, since timestamptz, until timestamptz,
    pool text[] not null, holds_from text not null
);
create index channels_by_channel on orders.channels (channel);

create table orders.listings (
    record_id text primary key collate "C", channel text not null collate "C",
    listing text not null collate "C", revision bigint not null, deleted boolean not null,
    since timestamptz, until timestamptz, sku text not null, units bigint not null,
    fulfilled_by text not null
);
create index listings_by_listing on orders.listings (channel, listing);

create table orders.skus (sku text primary key collate "C");

-- The folded order whole; `partition` is that of orders-v1.
create table orders.orders (
    order_id text primary key collate "C",
    partition smallint not null,
    heard_at timestamptz not null default now(),
    channel text collate "C",
    state text,
    folded jsonb                          -- null until the first state is folded
) with (fillfactor = 80);

-- What was decided for each line. `revision` is that of its latest command.
create table orders.lines (
    order_id text not null collate "C", line_id text not null collate "C",
    channel text not null collate "C", listing text collate "C",
    decision text not null check (decision in ('wish', 'waiting', 'resting')),
    reason text, waits_for text, revision bigint,
    sold_sku text, sold_units bigint, sold_by text,   -- what the listing was resolved to
    decided_at timestamptz not null default now(),
    primary key (order_id, line_id)
) with (fillfactor = 80);
create index lines_waiting on orders.lines (waits_for) where waits_for is not null;
create index lines_by_channel on orders.lines (channel);
create index lines_by_listing on orders.lines (channel, listing) where listing is not null;

-- The latest command of a line for each SKU that it ever named.
create table orders.commands (
    command_id bigint generated always as identity primary key,
    order_id text not null collate "C", line_id text not null collate "C",
    sku text not null collate "C",
    revision bigint not null, closed boolean not null, wish jsonb not null,
    recorded_at timestamptz not null default now(),
    unique (order_id, line_id, sku)
) with (fillfactor = 80);

-- What the ledger answered: the highest version of each line. May come before its order.
create table orders.outcomes (
    order_id text not null collate "C", line_id text not null collate "C",
    version bigint not null, decided_for bigint not null, sku text not null, wanted bigint not null,
    shipped bigint not null, short bigint not null, short_at text, allocated jsonb not null,
    primary key (order_id, line_id)
) with (fillfactor = 80);

-- Orders to decide again: their reference data changed, or a line came out short.
create table orders.undecided (order_id text primary key collate "C");
-- What changes by time alone: a channel's record that begins or ends.
create table orders.due (
    at timestamptz not null, channel text not null collate "C", primary key (at, channel)
);

-- The folded return, and how much of it has become movements (line and bucket → units).
create table orders.returns (
    return_id text primary key collate "C",
    partition smallint not null,
    folded jsonb,
    posted jsonb not null default '{}'
) with (fillfactor = 80);
-- Movements are facts: kept as sent, so that sending again tells the same.
create table orders.movements (
    movement_id bigint generated always as identity primary key,
    return_id text not null collate "C",
    document_line text not null, value jsonb not null,
    recorded_at timestamptz not null default now(),
    unique (return_id, document_line)
);

create table orders.unpublished (
    row_id bigint generated always as identity primary key,
    kind text not null check (kind in ('command', 'movement')),
    partition integer not null, keys bigint[] not null,
    created_at timestamptz not null default now()
);

create table orders.parked (
    parked_id bigint generated always as identity primary key,
    topic text not null, partition integer not null, kafka_offset bigint not null,
    reason text not null, detail text not null, key bytea, headers jsonb not null, value bytea,
    parked_at timestamptz not null default now(),
    status text not null default 'parked' check (status in ('parked', 'released', 'dropped')),
    unique (topic, partition, kafka_offset)
);
