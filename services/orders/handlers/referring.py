"""Reference data as it comes: kept, and the orders that it concerns noted to be decided again.

No wake-up is lost: the version row is held alone here and shared by who decides. An order whose
listing was looked for in vain has either committed before, and is noted, or looks after.
"""

from datetime import datetime

from services.orders.handlers.reading import Reading
from services.orders.handlers.translating import channel_of, kit_of, latest, listing_of
from services.orders.repository import kits, references
from shared.contracts.places import Channel
from shared.contracts.products import Listing, Product
from shared.postgres.connecting import Connection


async def keep(connection: Connection, reading: Reading, now: datetime) -> bool:
    """Keep what is news; says whether anything was. The reference data is held alone."""
    records = latest(reading.records)
    channels = [channel_of(record) for record in records if isinstance(record, Channel)]
    listings = [listing_of(record) for record in records if isinstance(record, Listing)]
    products = [kit_of(record) for record in records if isinstance(record, Product)]
    await kits.keep(connection, products)  # no news: what is accepted stays as it was accepted
    news = False
    if reading.skus and (skus := await references.keep_skus(connection, reading.skus)):
        await references.note_skus(connection, skus)
        news = True
    if listings and (keys := await references.keep_listings(connection, listings)):
        await references.note_listings(connection, keys)
        news = True
    if channels and (names := await references.keep_channels(connection, channels)):
        await references.note_channels(connection, names)
        moments = [
            (at, record.channel)
            for record in channels
            for at in (record.terms.since, record.terms.until)
            if at is not None
        ]
        await references.add_due(connection, moments, now)
        news = True
    if news:
        await references.raise_version(connection)
    return news
