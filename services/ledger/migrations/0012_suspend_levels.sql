-- A SKU that was looked for at a place and not found is not offered there at a distance until it is
-- counted: `suspended_at` is when it was last looked for in vain. Whether that still holds follows
-- from the anchors, so that a count may be told before or after.
alter table ledger.levels add column suspended_at timestamptz;

-- Who looked in vain, and when we heard of it.
create table ledger.suspensions (
    level_id integer not null references ledger.levels,
    at timestamptz not null,
    order_id text not null collate "C", line_id text not null collate "C",
    recorded_at timestamptz not null default now(),
    primary key (level_id, at, order_id, line_id)
);
create index levels_suspended on ledger.levels (level_id) where suspended_at is not null;
