-- Who tells, as declared: dated records, the highest revision of each. `version` is raised with every
-- change, so that workers see in one row that they must read again.
create table ledger.source_records (
    record_id text primary key collate "C", source text not null collate "C",
    revision bigint not null, record bytea not null
);
create index source_records_of on ledger.source_records (source);
create table ledger.source_terms (
    is_one boolean primary key default true check (is_one), version bigint not null
);
insert into ledger.source_terms (version) values (0);
alter table ledger.sources add column heard_at timestamptz;   -- written behind, some seconds late

-- The word of a source that doesn't post: compared with what was posted, never posted itself.
create table ledger.observations (
    event_id uuid primary key,
    observation_no bigint generated always as identity,
    source_id integer not null references ledger.sources,
    type text not null,
    types text[] not null,                -- types of posted movements that tell the same
    sku_id integer not null references ledger.skus,
    location_id integer not null references ledger.locations,
    from_account smallint not null, to_account smallint not null,
    direction smallint not null,          -- 1 leaves us, -1 comes in, 0 stays inside
    quantity bigint not null,
    revision bigint not null,
    occurred_at timestamptz not null,
    recorded_at timestamptz not null default now(),
    withdraws uuid,                       -- the observation that this one cancels or replaces
    details jsonb,
    state text not null check (state in ('open', 'matched', 'differing', 'withdrawn')),
    matched_by text,                      -- order_line, supply_line, document or book
    difference bigint,                    -- observed less posted; of a count: its drift
    posted bigint, posted_sku_id integer, posted_location_id integer,
    look_at timestamptz                   -- when it is compared again; null: never
) with (fillfactor = 80);
create index observations_due on ledger.observations (look_at) where look_at is not null;
create index observations_listed on ledger.observations (state, observation_no)
    where state in ('open', 'differing');
create index observations_old on ledger.observations (recorded_at);
create index observations_withdrawn on ledger.observations (withdraws) where withdraws is not null;
create index observations_order_line on ledger.observations
    ((details #>> '{order_line,order_id}'), (details #>> '{order_line,line_id}'))
    where details ? 'order_line';
create index observations_supply_line on ledger.observations
    ((details #>> '{supply_line,supply_id}'), (details #>> '{supply_line,line_id}'))
    where details ? 'supply_line';
create index observations_document on ledger.observations
    ((details #>> '{document,number}'), (details #>> '{document,line}'))
    where details ? 'document';

-- The same of what is posted. A five-field movement has no details, and stands in none of these.
create index movements_order_line on ledger.movements
    ((details #>> '{order_line,order_id}'), (details #>> '{order_line,line_id}'))
    where details ? 'order_line';
create index movements_supply_line on ledger.movements
    ((details #>> '{supply_line,supply_id}'), (details #>> '{supply_line,line_id}'))
    where details ? 'supply_line';
create index movements_document on ledger.movements
    ((details #>> '{document,number}'), (details #>> '{document,line}'))
    where details ? 'document';

-- The records of sources were passed over until now: the topic keeps the latest of each.
delete from ledger.positions where topic = 'reference-data-v1';

-- Numbers that sources give their messages: left by batches, worked off into one row a source, so
-- that workers who hear one source on several partitions don't wait for each other.
create table ledger.heard_sequences (
    heard_no bigint generated always as identity primary key,
    source_id integer not null references ledger.sources,
    numbers bigint[] not null,
    heard_at timestamptz not null default now()
);
create table ledger.sequences (
    source_id integer primary key references ledger.sources,
    lowest bigint not null, highest bigint not null,
    -- Ranges of numbers that were never heard, ascending, and when each was noticed.
    missing_from bigint[] not null default '{}', missing_to bigint[] not null default '{}',
    missing_since timestamptz[] not null default '{}',
    given_up bigint not null default 0    -- numbers of ranges that there was no more room for
) with (fillfactor = 80);

-- Sources that may be silent for so long only: their last word at each location they speak for.
create table ledger.heard (
    source_id integer not null references ledger.sources,
    location_id integer not null references ledger.locations,
    heard_at timestamptz not null,
    primary key (source_id, location_id)
) with (fillfactor = 70);
-- Who is silent where: since its last word, of which demand before it, and whether for so long that
-- the location is not offered at a distance.
create table ledger.silences (
    source_id integer not null references ledger.sources,
    location_id integer not null references ledger.locations,
    since timestamptz not null,
    sold_seconds bigint not null check (sold_seconds > 0),
    is_stopped boolean not null default false,
    primary key (source_id, location_id)
);
create table ledger.silence_buffers (
    source_id integer not null, location_id integer not null, sku_id integer not null,
    sold bigint not null,                 -- in `sold_seconds` of opening time before
    units bigint not null default 0,      -- expected to have been sold since
    primary key (source_id, location_id, sku_id),
    foreign key (source_id, location_id) references ledger.silences on delete cascade
) with (fillfactor = 80);
-- What was told as policies: by SKU the buffer; under SKU 0, 1 where nothing is offered at a distance.
create table ledger.silences_told (
    location_id integer not null, sku_id integer not null, told bigint not null check (told > 0),
    primary key (location_id, sku_id)
) with (fillfactor = 80);
