"""The checker's statements about orders: ours, the ledger's lines, and what has come of them."""

ORDERS = "select order_id from orders.orders where folded is not null"
LINES = """
select o.order_id, o.line_id, s.sku, o.wanted
from ledger.order_lines o join ledger.skus s using (sku_id)
"""
# The latest command of each line against what orders was answered and what the ledger holds.
WITHOUT_OUTCOME = """
with latest as (
    select distinct on (order_id, line_id) order_id, line_id, revision,
           case when closed then 0 else (wish ->> 'wanted')::bigint end as wanted
    from orders.commands order by order_id, line_id, revision desc)
select order_id, line_id, c.wanted, a.wanted as answered
from latest c
left join orders.outcomes a using (order_id, line_id)
left join ledger.order_lines l using (order_id, line_id)
where a.version is null or a.decided_for < c.revision or a.wanted <> c.wanted
      or l.wanted is distinct from c.wanted or l.shipped <> a.shipped
      or l.short + l.unsourced <> a.short
limit 5
"""
SHIPPED = "select order_id, line_id, shipped from ledger.order_lines where shipped > 0"
RETURNED = """
select a.bucket, sum(m.quantity)::bigint as units
from ledger.movements m join ledger.accounts a on a.account_id = m.to_account
where m.type = 'return' group by 1
"""
