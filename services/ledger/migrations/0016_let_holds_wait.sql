-- Units that are held and still to come, and by when they are promised.
alter table ledger.holds
    add column is_waiting boolean not null default false,
    add column promised_at timestamptz;
create index holds_waiting on ledger.holds (sku_id) where is_waiting and settled_at is null;

-- Of an order line's short units, those that were accepted to wait: nobody has oversold them.
alter table ledger.order_lines add column waits bigint not null default 0;
