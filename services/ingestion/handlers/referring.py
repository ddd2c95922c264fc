"""Reference data as ingestion needs it: which SKU each shop's code stands for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from services.ingestion import metrics
from services.ingestion.repository import listings
from services.ingestion.repository.listings import ListingRecord
from services.ingestion.repository.parking import PARKING, deliveries_in, receive_again
from shared.contracts.products import Listing
from shared.contracts.records import Undecodable
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.batches import Batch
from shared.postgres.connecting import Connection, Pool
from shared.postgres.parking import (
    UNFENCED,
    ParkedMessage,
    Refusal,
    Told,
    batch_of,
    internal_error,
)

ALWAYS: Final = datetime(1970, 1, 1, tzinfo=UTC)  # before every moment a contract can hold


@dataclass(slots=True)
class Reading:
    """A batch that was read: the latest record of each key, and what could not be read."""

    records: dict[str, ListingRecord] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)


class ReferenceHandler:
    """What the consumer does with a batch of reference data."""

    def __init__(self, pool: Pool, *, learned: Callable[[], None]) -> None:
        self._pool = pool
        self._learned = learned

    async def decode(self, batch: Batch) -> Reading:
        """Read the batch; kinds other than listings are passed over."""
        return read(batch)

    async def apply(self, batch: Batch, decoded: Reading) -> None:
        """One transaction: positions, listings, parked messages. Raises Fenced."""
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            changed = await listings.fold(connection, batch, list(decoded.records.values()))
            await PARKING.park(connection, decoded.refusals)
        for refused in decoded.refusals:
            metrics.PARKED.labels(metrics.SERVICE, refused.reason).inc()
        if changed:
            self._learned()

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Keep the batch's one message as `internal_error`, and move past it."""
        refusal = internal_error(next(batch.messages()), error)
        async with self._pool.acquire(timeout=5) as connection, connection.transaction():
            await listings.fold(connection, batch, [])
            await PARKING.park(connection, [refusal])

    async def replay(self, ids: Collection[int]) -> int:
        """Bring parked records and refused deliveries back; returns how many were taken."""
        return await PARKING.replay(self._pool, ids, self._apply_again)

    async def _apply_again(self, connection: Connection, taken: list[ParkedMessage]) -> Told:
        deliveries = set(deliveries_in(taken))
        records = [message for message in taken if message.topic == REFERENCE_DATA.name]
        decoded = read(batch_of(records))
        await listings.fold(connection, UNFENCED, list(decoded.records.values()))
        await PARKING.park(connection, decoded.refusals)
        await receive_again(connection, deliveries)
        return self._learned


def read(batch: Batch) -> Reading:
    """Decode every message; of several states of one key the highest revision counts."""
    reading = Reading()
    for message in batch.messages():
        found = REFERENCE_DATA.decode(message.value)
        if isinstance(found, Undecodable):
            reading.refusals.append(
                Refusal(message=message, reason=found.reason.value, detail=found.detail)
            )
        elif isinstance(found, Listing):
            before = reading.records.get(found.record_id)
            if before is None or before.revision <= found.revision:
                reading.records[found.record_id] = _record(found)
    return reading


def _record(listing: Listing) -> ListingRecord:
    return ListingRecord(
        channel=listing.channel, listing=listing.listing_id, from_at=listing.from_ or ALWAYS,
        until_at=listing.until, revision=listing.revision, is_deleted=listing.deleted,
        sku=listing.sku, units=listing.units_per_listing, fulfilled_by=listing.fulfilled_by.value,
    )  # fmt: skip
