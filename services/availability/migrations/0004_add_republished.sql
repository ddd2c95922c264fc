-- A view that is built from nothing asks the ledger to tell every state again before it is ready:
-- the id of the request, and for which topics it has been answered.
alter table availability.progress add column asked_id text;
create table availability.republished (
    topic text primary key, request_id text not null, told_at timestamptz not null default now()
);
