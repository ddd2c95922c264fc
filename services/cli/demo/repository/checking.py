"""The checker's own statements: what it knows of the services are their tables."""

# Movements against levels and balances, account by account; account 1 stands in the level itself.
BOOKS = """
with moved as (
    select level_id, account_id, sum(quantity) as quantity from (
        select to_level as level_id, to_account as account_id, quantity from ledger.movements
        where to_level is not null
        union all
        select from_level, from_account, -quantity from ledger.movements
        where from_level is not null) both_sides
    group by 1, 2),
booked as (
    select level_id, 1::smallint as account_id, sellable as quantity from ledger.levels
    union all select level_id, account_id, quantity from ledger.balances)
select level_id, account_id, coalesce(b.quantity, 0) as booked, coalesce(m.quantity, 0) as moved
from booked b full join moved m using (level_id, account_id)
where coalesce(b.quantity, 0) <> coalesce(m.quantity, 0) limit 5
"""
# Inside and outside accounts of a SKU together. The outside ones are only in the movements, whose
# SKU is that of their inner side.
ZERO = """
with outside as (
    select l.sku_id, sum(case when m.to_level is null then m.quantity else -m.quantity end) as units
    from ledger.movements m join ledger.levels l on l.level_id = coalesce(m.from_level, m.to_level)
    where m.from_level is null or m.to_level is null group by 1),
inside as (
    select sku_id, sum(units) as units from (
        select sku_id, sellable as units from ledger.levels
        union all
        select l.sku_id, b.quantity from ledger.balances b join ledger.levels l using (level_id)) x
    group by 1)
select s.sku, coalesce(i.units, 0) as inside, coalesce(o.units, 0) as outside
from ledger.skus s left join inside i using (sku_id) left join outside o using (sku_id)
where coalesce(i.units, 0) + coalesce(o.units, 0) <> 0 limit 5
"""
CLAIMS = """
select 'line ' || order_id || '|' || line_id as what,
       greatest(0, wanted - shipped - picked - in_parts) as should,
       unsourced + dated + coalesce((select sum(quantity) from ledger.allocations a
                             where a.order_line_id = o.order_line_id), 0) as does
from ledger.order_lines o
where greatest(0, wanted - shipped - picked - in_parts) <> unsourced + dated + coalesce(
    (select sum(quantity) from ledger.allocations a where a.order_line_id = o.order_line_id), 0)
union all
select 'level ' || level_id, coalesce(sum(a.quantity), 0), l.allocated
from ledger.levels l left join ledger.allocations a using (level_id)
group by l.level_id, l.allocated having coalesce(sum(a.quantity), 0) <> l.allocated limit 5
"""
LEVELS = """
select s.sku, lo.location, l.version, l.sellable, l.reserved, l.allocated
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
"""
UNSOURCED = """
select s.sku, sum(o.unsourced)::bigint as units
from ledger.order_lines o join ledger.skus s using (sku_id) where o.unsourced > 0 group by 1
"""
VIEWS = "select sku, version, levels, view from availability.stock"
POSITIONS = "select topic, partition, next_offset from {schema}.positions"
POSTED = "select count(*) from ledger.movements where restates is null"
PARKED = "select count(*) from ledger.parked where status = 'parked' and topic = $1"
OLDEST = "select extract(epoch from now() - min(created_at))::float8 from {schema}.unpublished"
# Listings that need not show their figure yet, or that publication knows not to.
EXCUSED = """
select l.listing from publication.listings l
left join publication.published p using (listing_id)
left join publication.figures f on f.channel = l.channel and f.sku = l.sku
where l.channel = $1 and (
    not l.is_open or l.mode <> 'live' or p.refused_version >= f.version
    or exists (select from publication.attempts a
               where a.listing_id = l.listing_id and a.closed_at is null))
"""
