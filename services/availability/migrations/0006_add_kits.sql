-- Kits: which SKU goes into which, by any record ever told of the kit. Rows of either side are
-- marked, so that a batch sees on the row that it has locked whether there is more to do.
alter table availability.stock add column is_in_kits boolean not null default false;
create table availability.kits (
    part text not null collate "C", kit text not null collate "C", primary key (part, kit)
);
create index kits_of_kit on availability.kits (kit);

-- Kits whose parts have changed since they were computed, noted by the transaction of the change.
-- A row for each change and no key of its own, so that no writer ever waits for another here.
create table availability.stale_kits (
    row_id bigint generated always as identity primary key, sku_id bigint not null
);
