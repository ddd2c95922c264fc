-- What an order is, how far it is and who brings it; and what was ordered beside what is due. Lines
-- stay with their order when it is over.
alter table availability.supply_orders
    add column type text not null default 'purchase_order',
    add column state text not null default 'confirmed',
    add column supplier_id text collate "C";
alter table availability.supply_lines add column ordered bigint not null default 0;
