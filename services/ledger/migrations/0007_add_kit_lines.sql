-- A kit's order line is a row of its own for the kits that stand made up, and a row for each part,
-- whose line_id is the line's, a | and the part's SKU. What a part has is booked, short and without
-- a place under the part's SKU, like any line's.
alter table ledger.order_lines
    add column is_kit boolean not null default false,
    add column in_parts bigint not null default 0,   -- of a kit's wanted units: those made of parts
    add column part_of bigint references ledger.order_lines,
    add column per_kit bigint not null default 0,    -- units of a part in one kit; 0: in it no more
    add column kit_sku_id integer references ledger.skus;
create index order_lines_parts on ledger.order_lines (part_of) where part_of is not null;
create index order_lines_short_of_kits on ledger.order_lines (kit_sku_id)
    where kit_sku_id is not null and (short > 0 or unsourced > 0);

-- Of a hold's part that holds units of a kit's part: which kit, and how many units go into one.
alter table ledger.holds
    add column kit_sku_id integer references ledger.skus, add column per_kit bigint;
