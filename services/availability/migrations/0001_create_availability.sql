create schema availability;

create table availability.positions (
    topic text not null, partition integer not null, epoch bigint not null, owner text not null,
    next_offset bigint not null, primary key (topic, partition)
) with (fillfactor = 50);

-- The unit of the view: one row per SKU, with what it is made from and what it says. Packed
-- columns are JSON in UTF-8; their shapes stand in repository/packing.py. No index on a column
-- that changes, so that updates stay on their page.
create table availability.stock (
    sku_id bigint generated always as identity primary key,
    sku text not null collate "C" unique,
    partition smallint not null,          -- of the topics that are partitioned by SKU
    version bigint not null default 0,
    unsourced bigint not null default 0,  -- accepted units that wait for a place
    levels bytea not null default '{}',   -- what each location was last told to have
    facts bytea not null default '{}',    -- the product, and the policies of this SKU alone
    view bytea not null default ''        -- the figures, as Redis has them too
) with (fillfactor = 70);

-- Order lines that have, or once had, units without a place. A line served at once leaves no row.
create table availability.unsourced_lines (
    order_id text not null collate "C", line_id text not null collate "C",
    sku text not null collate "C", version bigint not null, quantity bigint not null,
    changed_at timestamptz not null default now(),
    primary key (order_id, line_id)
) with (fillfactor = 80);

-- Locations, channels and policies as told.
create table availability.reference (
    kind text not null, id text not null collate "C", version bigint not null,
    sku text collate "C",                 -- of a policy that speaks of one SKU alone
    record bytea not null,
    primary key (kind, id)
);
create table availability.channels (
    number smallint generated always as identity primary key,
    channel text not null collate "C" unique
);

-- One row: a computation reads it `for share`, a change of the reference data raises it.
create table availability.policy_version (
    is_one boolean primary key default true check (is_one), version bigint not null
);
insert into availability.policy_version (version) values (0);

-- What changes by time alone: `shared`, or `sku:` and the SKU.
create table availability.due (
    at timestamptz not null, key text not null collate "C", primary key (at, key)
);

-- SKUs to be computed again, in slices behind live changes: one by one, or all in passing.
create table availability.recompute (sku_id bigint primary key);
create table availability.sweeps (
    sweep_id bigint generated always as identity primary key,
    reason text not null, next_sku_id bigint not null default 0,
    is_forced boolean not null default false,   -- tell everything again, also what is unchanged
    asked_at timestamptz not null default now()
) with (fillfactor = 70);

-- What a commit has left to say: `topic` keys are sku_id * 4096 + channel number, `view` keys
-- are sku_ids for Redis.
create table availability.unpublished (
    row_id bigint generated always as identity primary key,
    kind text not null check (kind in ('topic', 'view')),
    partition integer not null,
    keys bigint[] not null,
    created_at timestamptz not null default now()
);
create index unpublished_open on availability.unpublished (kind, row_id);

-- One row: how far the view has come, and which generation of it Redis holds.
create table availability.progress (
    is_one boolean primary key default true check (is_one),
    is_built boolean not null default false,   -- everything was read once
    as_of timestamptz,                         -- what was on the topics then is in the view
    generation bigint not null default 0,
    made_for text not null default '',         -- the Redis server and the Postgres history
    rebuilt_to bigint                          -- last sku_id written to Redis; null: all written
);
insert into availability.progress default values;

-- The only record of a refused message.
create table availability.parked (
    parked_id bigint generated always as identity primary key,
    topic text not null, partition integer not null, kafka_offset bigint not null,
    reason text not null, detail text not null,
    key bytea, headers jsonb not null, value bytea,
    parked_at timestamptz not null default now(),
    status text not null default 'parked' check (status in ('parked', 'released', 'dropped')),
    released_at timestamptz,
    unique (topic, partition, kafka_offset)
);
