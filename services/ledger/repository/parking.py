"""The ledger's parked messages, and which of them wait for a name that has become known."""

from shared.postgres.connecting import Connection
from shared.postgres.parking import ParkedMessage, Parking, Refusal

__all__ = ["PARKING", "ParkedMessage", "Refusal", "known_now"]

PARKING = Parking("ledger")

KNOWN_NOW = """
select p.parked_id from ledger.parked p
where p.status = 'parked' and p.waits_for is not null
  and (exists (select from ledger.skus s where 'sku:' || s.sku = p.waits_for)
       or exists (select from ledger.locations l where 'location:' || l.location = p.waits_for))
order by p.parked_id limit $1
"""


async def known_now(connection: Connection, limit: int) -> list[int]:
    """Rows whose unknown SKU or location has become known."""
    return [row[0] for row in await connection.fetch(KNOWN_NOW, limit)]
