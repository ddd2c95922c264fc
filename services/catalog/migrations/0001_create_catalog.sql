create schema catalog;

create table catalog.positions (
    topic text not null, partition integer not null, epoch bigint not null, owner text not null,
    next_offset bigint not null, primary key (topic, partition)
) with (fillfactor = 50);

-- One row. Who lets policies in holds it alone, so that two that tie never enter side by side.
create table catalog.policy_gate (opened bigint not null);
insert into catalog.policy_gate values (0);

-- Every dated record, as its highest revision says.
create table catalog.records (
    record_number bigint generated always as identity primary key,
    kind text not null collate "C", record_id text not null collate "C",
    thing text not null collate "C",      -- the record's name without its date: one SKU, one code
    from_at timestamptz, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null,
    claim bytea,                          -- hash of what one record may say at a time
    code text collate "C",                -- of identifiers and listings
    content_sha256 bytea not null,        -- of the record without its revision
    record jsonb not null,
    source text not null, recorded_at timestamptz not null,
    unique (kind, record_id)
);
create index records_by_thing on catalog.records (kind, thing);
create index records_by_claim on catalog.records (claim) where claim is not null;
create index records_by_code on catalog.records (code) where code is not null;
create index records_by_listed_sku on catalog.records ((record->>'channel'), (record->>'sku'))
    where kind = 'listing';

-- A file and what became of it. `accepted` is the moment from which all of it will be sent.
create table catalog.imports (
    import_id bigint generated always as identity primary key,
    kind text not null, name text, content_sha256 bytea not null,
    is_partial boolean not null, is_dry_run boolean not null,
    status text not null default 'checking'
        check (status in ('checking', 'accepted', 'applied', 'checked', 'refused', 'failed')),
    rows_read bigint not null default 0,
    counts jsonb not null default '{}',
    facts jsonb not null default '{}',    -- format, encoding, delimiter, sheet, or why it failed
    started_at timestamptz not null default now(),
    settled_at timestamptz
);
create index imports_unsettled on catalog.imports (import_id)
    where status in ('checking', 'accepted');
create index imports_by_content on catalog.imports (content_sha256) where status = 'applied';

-- The rows of a file from its reading until they stand in `records`.
create table catalog.import_rows (
    import_id bigint not null, line bigint not null, fate text not null,
    record_id text not null collate "C", thing text not null collate "C",
    from_at timestamptz, until_at timestamptz,
    revision bigint not null, is_deleted boolean not null,
    claim bytea, code text collate "C", content_sha256 bytea not null, record text not null,
    primary key (import_id, line)
);
create index import_rows_by_record on catalog.import_rows (import_id, record_id);
create index import_rows_by_thing on catalog.import_rows (import_id, thing);
create index import_rows_by_claim on catalog.import_rows (import_id, claim) where claim is not null;

-- What rows name and nobody has told of, when they were read.
create table catalog.import_references (
    import_id bigint not null, line bigint not null, col text not null,
    kind text not null collate "C", thing text not null collate "C"
);
create index import_references_by_import on catalog.import_references (import_id);

create table catalog.import_findings (
    finding_id bigint generated always as identity primary key,
    import_id bigint not null, is_refusal boolean not null,
    line bigint not null, col text, reason text not null, detail text not null
);
create index import_findings_by_line
    on catalog.import_findings (import_id, is_refusal, line, finding_id);

create table catalog.unpublished (
    row_id bigint generated always as identity primary key,
    kind text not null check (kind = 'record'),
    partition integer not null, keys bigint[] not null,
    created_at timestamptz not null default now()
);

create table catalog.parked (
    parked_id bigint generated always as identity primary key,
    topic text not null, partition integer not null, kafka_offset bigint not null,
    reason text not null, detail text not null, waits_for text,
    key bytea, headers jsonb not null, value bytea,
    parked_at timestamptz not null default now(),
    status text not null default 'parked' check (status in ('parked', 'released', 'dropped')),
    released_at timestamptz,
    unique (topic, partition, kafka_offset)
);
create index parked_open on catalog.parked (reason, parked_id) where status = 'parked';
