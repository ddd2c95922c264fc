-- What was told of reference data and when, so that a figure can be explained as it was.
create table availability.reference_history (
    kind text not null, id text not null collate "C", version bigint not null,
    sku text collate "C", record bytea not null,
    recorded_at timestamptz not null default now()
);
create index reference_history_of_id on availability.reference_history (kind, id, recorded_at);
insert into availability.reference_history (kind, id, version, sku, record)
select kind, id, version, sku, record from availability.reference;

create table availability.facts_history (
    sku text not null collate "C", facts bytea not null,
    recorded_at timestamptz not null default now()
);
create index facts_history_of_sku on availability.facts_history (sku, recorded_at);
insert into availability.facts_history (sku, facts)
select sku, facts from availability.stock where facts <> '{}';
