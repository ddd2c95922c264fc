-- Units accepted for later, of which nothing is held: they count against what may be promised.
alter table availability.unsourced_lines
    add column dated bigint not null default 0, add column requested_for timestamptz;
create index unsourced_lines_dated on availability.unsourced_lines (sku) where dated > 0;
create index unsourced_lines_settled on availability.unsourced_lines (changed_at)
    where quantity = 0 and dated = 0;
