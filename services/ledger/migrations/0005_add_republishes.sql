-- Readers that start from nothing: every state of a topic is told again, slice by slice.
create table ledger.republishes (
    topic text not null, asked_by text not null,
    request_id text not null, asked_at timestamptz not null default now(),
    next_key bigint not null default 0,   -- states up to here have been noted
    last_row bigint not null default 0,   -- the last row of `unpublished` that notes one
    told_at timestamptz,
    primary key (topic, asked_by)
);
