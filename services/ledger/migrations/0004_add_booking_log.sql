-- What was booked for order lines, change by change, so that a level can be explained as it was.
-- A row without a level tells units that have no place.
create table ledger.booking_log (
    recorded_at timestamptz not null default now(),
    sku_id integer not null references ledger.skus,
    level_id integer references ledger.levels,
    order_line_id bigint not null references ledger.order_lines,
    delta bigint not null
);
create index booking_log_of_sku on ledger.booking_log (sku_id, recorded_at);

insert into ledger.booking_log (sku_id, level_id, order_line_id, delta)
select l.sku_id, a.level_id, a.order_line_id, a.quantity
from ledger.allocations a join ledger.levels l using (level_id)
union all
select sku_id, null, order_line_id, unsourced from ledger.order_lines
where unsourced > 0 and sku_id is not null;
