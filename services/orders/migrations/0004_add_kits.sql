-- What kits are made of, by dated record. `parts` is a list of [SKU, units in one kit].
create table orders.kits (
    record_id text primary key collate "C", sku text not null collate "C",
    revision bigint not null, deleted boolean not null, since timestamptz, until timestamptz,
    parts jsonb not null
);
create index kits_by_sku on orders.kits (sku);

-- What was read before this table existed is read again: the topic keeps the latest of each record.
delete from orders.positions where topic = 'reference-data-v1';
