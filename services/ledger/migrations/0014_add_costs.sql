-- Weighted average cost. Up to `costed_at` the points of a SKU are worked out: what comes later and
-- occurred before that moment has them worked out again from there.
alter table ledger.levels add column costed_at timestamptz;

-- What has a cost, or came late, has its SKU's points worked out from `since` on; rows are only added
-- by whoever posts, so that nobody waits for a row here.
create table ledger.cost_dirty (
    row_id bigint generated always as identity primary key,
    sku_id integer not null references ledger.skus,
    since timestamptz not null, until timestamptz not null
);

-- After each moment that changes a cost, what every legal entity has of the SKU and what a unit costs it:
-- {entity: {quantity, unit_cost, currency, uncosted}}; '' where locations name no entity.
create table ledger.cost_points (
    sku_id integer not null references ledger.skus,
    at timestamptz not null,
    states jsonb not null,
    primary key (sku_id, at)
);

-- What a unit is worth from a moment on, as told; a SKU may be told of before anybody knows it.
create table ledger.revaluations (
    record_id text primary key,
    sku text not null collate "C", entity text not null, at timestamptz not null,
    unit_cost numeric not null, currency text not null,
    revision bigint not null, is_deleted boolean not null
);
create index revaluations_of on ledger.revaluations (sku);

-- Corrected facts of a SKU are found by its levels.
create index facts_from on ledger.facts (from_level) where from_level is not null;
create index facts_to on ledger.facts (to_level) where to_level is not null;
