-- Events whose id is below `first_id` are too old: their months are closed. A constraint of the
-- movements says the same, so that what a worker does not know yet is refused all the same.
create table ledger.horizon (
    is_one boolean primary key default true check (is_one),
    first_id uuid, first_month date
);
insert into ledger.horizon default values;

-- A month is closed level by level, in slices, and detached when every level is.
create table ledger.closed_months (
    month date primary key,
    closed_to integer not null default 0,       -- the last level_id whose balances are written
    detached_at timestamptz
);

-- An account at the end of a month: everything that ever moved up to then. A level that did not
-- move in the month has no row of it, and its latest one before counts.
create table ledger.closing_balances (
    level_id integer not null references ledger.levels,
    account_id smallint not null references ledger.accounts,
    month date not null,
    quantity bigint not null,
    movements bigint not null,                  -- how many are summed up in it
    recorded_until timestamptz not null,        -- when the last of them was recorded
    primary key (level_id, account_id, month)
);
