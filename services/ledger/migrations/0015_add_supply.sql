-- What suppliers and transfers are to bring: receipts are compared with it, and what is promised
-- ahead of stock is promised on it.
create table ledger.supply_orders (
    supply_id text primary key collate "C", revision bigint not null,
    is_open boolean not null, type text not null, state text not null,
    supplier_id text collate "C", changed_at timestamptz not null default now()
) with (fillfactor = 70);
create index supply_orders_over on ledger.supply_orders (changed_at) where not is_open;

create table ledger.supply_lines (
    supply_id text not null collate "C" references ledger.supply_orders on delete cascade,
    line_id text not null collate "C",
    sku text not null collate "C", location text not null collate "C",
    is_transfer boolean not null, is_confirmed boolean not null,
    due bigint not null,                  -- units that are to come in all
    ordered bigint not null, dispatched bigint not null, received bigint not null,
    rejected bigint not null, cancelled bigint not null,
    expected_at timestamptz,
    primary key (supply_id, line_id)
) with (fillfactor = 70);
create index supply_lines_of_sku on ledger.supply_lines (sku);
create index supply_lines_at on ledger.supply_lines (location, supply_id, line_id);
