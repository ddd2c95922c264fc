"""What a kept run begins with: what lies where, and what the shop showed last."""

ON_HAND = """
select s.sku, lo.location, l.sellable
from ledger.levels l join ledger.skus s using (sku_id) join ledger.locations lo using (location_id)
"""
LAST_SHOWN = """
select l.sku, p.shown from publication.listings l
join publication.published p using (listing_id) where l.channel = $1
"""
