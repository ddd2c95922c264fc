-- SKUs whose units have lots that expire.
alter table ledger.skus add column tracks_lots boolean not null default false;
update ledger.skus s set tracks_lots = true from ledger.reference r
where r.kind = 'product' and r.sku = s.sku and (
    convert_from(r.record, 'utf8')::jsonb ->> 'tracks_lots' = 'true'
    or convert_from(r.record, 'utf8')::jsonb ->> 'tracks_expiry' = 'true');
create index skus_with_lots on ledger.skus (sku_id) where tracks_lots;

-- Movements that name a lot, by shelf; and by what they name.
create index movements_lots_from on ledger.movements (from_level) where details ? 'lot';
create index movements_lots_to on ledger.movements (to_level) where details ? 'lot';
create index movements_of_lot on ledger.movements ((details #>> '{lot,code}')) where details ? 'lot';
create index movements_of_serials on ledger.movements using gin ((details -> 'serials'))
    where details ? 'serials';

-- Up to which version of a level its lots were looked at, when to look again though nothing moves,
-- and how many short-dated units were told.
create table ledger.lots_looked_at (
    level_id integer primary key references ledger.levels,
    version bigint not null, again_at timestamptz, short_dated bigint not null
) with (fillfactor = 70);
create index lots_looked_at_again on ledger.lots_looked_at (again_at) where again_at is not null;
