-- What suppliers and transfers will still bring: it counts for what may be promised, never for what
-- may be sold now. An order that is over is kept for a while, since older states of it are judged
-- by its revision.
create table availability.supply_orders (
    supply_id text primary key collate "C", revision bigint not null,
    is_open boolean not null, changed_at timestamptz not null default now()
) with (fillfactor = 70);
create index supply_orders_over on availability.supply_orders (changed_at) where not is_open;

create table availability.supply_lines (
    supply_id text not null collate "C"
        references availability.supply_orders on delete cascade,
    line_id text not null collate "C",
    sku text not null collate "C", location text not null collate "C",
    is_transfer boolean not null, is_confirmed boolean not null,
    due bigint not null,                  -- units that are to come in all
    dispatched bigint not null, received bigint not null, rejected bigint not null,
    cancelled bigint not null,            -- totals that never fall
    expected_at timestamptz,
    primary key (supply_id, line_id)
) with (fillfactor = 70);
create index supply_lines_of_sku on availability.supply_lines (sku);
