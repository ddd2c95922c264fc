-- Counts of a place up to a moment that are closed: what comes late has a line of its own from then on.
create table ledger.count_closings (
    closing_id bigint generated always as identity primary key,
    location_id integer not null references ledger.locations,
    until timestamptz not null,
    closed_at timestamptz not null default now()
);
create index count_closings_at on ledger.count_closings (location_id, until);
