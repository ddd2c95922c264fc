-- Facts that were corrected or cancelled, as they stand now: what holds of each, and under which id
-- that was posted. Facts told once have no row here.
create table ledger.facts (
    fact_id uuid primary key,
    rank bigint not null default -1,      -- of the telling that holds; -1: none has come
    is_cancelled boolean not null default false,
    entry_id uuid,                        -- the movement by which the content was posted
    type text, quantity bigint,           -- the content; null: the fact moves nothing
    from_level integer, from_account smallint, to_level integer, to_account smallint,
    occurred_at timestamptz, source_id integer, details jsonb
) with (fillfactor = 80);
-- Other ids under which a fact was told: a correction with another moment has an id of its own.
create table ledger.fact_ids (
    event_id uuid primary key, fact_id uuid not null
);
create index fact_ids_of on ledger.fact_ids (fact_id);
