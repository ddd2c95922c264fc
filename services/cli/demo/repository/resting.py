"""What is read and what waits, over all services: nothing of it is left when all is quiet."""

POSITIONS = """
select topic, partition, min(next_offset) as next_offset from (
    select topic, partition, next_offset from ledger.positions
    union all select topic, partition, next_offset from availability.positions
    union all select topic, partition, next_offset from publication.positions
    union all select topic, partition, next_offset from orders.positions
    union all select topic, partition, next_offset from ingestion.positions) x
group by 1, 2
"""
# A service that has not begun to read has nothing unread: it is waited for all the same.
WAITING = """
select (select count(*) from (values
            (exists (select from ledger.positions)), (exists (select from availability.positions)),
            (exists (select from publication.positions)), (exists (select from orders.positions)),
            (exists (select from ingestion.positions))) s(reads) where not reads) as services,
       (select count(*) from ledger.unpublished) as ledger,
       (select count(*) from availability.unpublished) as availability,
       (select count(*) from availability.recompute) as recompute,
       (select count(*) from availability.sweeps) as sweeps,
       (select count(*) from publication.unpublished) as publication,
       (select count(*) from orders.unpublished) as orders,
       (select count(*) from orders.undecided) as undecided,
       (select count(*) from ingestion.unpublished) as ingestion,
       (select count(*) from ingestion.inbox where status = 'received') as deliveries,
       (select count(*) from publication.attempts where closed_at is null) as calls,
       (select count(*) from publication.order_lines o join publication.leases using (channel)
        where o.due_at is not null) as unheard,
       (select count(*) from publication.handed_over) as handed_over,
       (select count(*) from publication.published p join publication.listings l using (listing_id)
        where l.is_open and l.mode = 'live' and p.status <> 'refused'
          and coalesce((p.basis ->> 'is_blind')::boolean, true)
          and coalesce((p.basis -> 'heard' ->> 0)::bigint, 0) <> l.heard) as uncertain,
       (select count(*) from publication.listings l
        join publication.figures f on f.channel = l.channel and f.sku = l.sku
        left join publication.published p using (listing_id)
        where l.is_open and l.mode = 'live' and p.refused_version is distinct from f.version
          and p.shown is distinct from greatest(0, f.available) / l.units) as listings
"""
