-- How far each marketplace without webhooks has been read, and who reads it now.
create table ingestion.polls (
    channel text primary key collate "C",
    since timestamptz not null,           -- everything that was updated before is in the inbox
    began_at timestamptz,                 -- when the list under way was begun; null between lists
    next_offset integer not null default 0,
    next_at timestamptz not null default now(),  -- no list is begun or gone on with before
    owner text,
    leased_until timestamptz not null default '-infinity',
    completed_at timestamptz,             -- when a list was last read to its end
    failures integer not null default 0,  -- in a row
    problem text
) with (fillfactor = 50);

-- Orders that we have asked a marketplace to accept. The order's own state says what came of it.
create table ingestion.acceptances (
    order_id text primary key collate "C",
    tried_at timestamptz not null default now(),
    tries integer not null default 1,
    accepted_at timestamptz,
    problem text
);
create index orders_to_accept on ingestion.orders (channel, order_id)
    where state ->> 'state' = 'pending_acceptance';
