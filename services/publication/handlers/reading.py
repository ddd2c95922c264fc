"""Bytes to columns: of several states of one key in a batch, the one that counts."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar

from services.publication.repository.folding import FigureColumns
from services.publication.repository.referring import ReferenceColumns
from shared.contracts.availability import Availability
from shared.contracts.records import Undecodable
from shared.contracts.reference import Channel, Listing, Product
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA
from shared.kafka.batches import Batch
from shared.postgres.parking import Refusal

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)  # before every moment a contract can hold
R = TypeVar("R", Channel, Listing, Product)


@dataclass(slots=True)
class Reading:
    """A batch that was read; of several states of one key, the one that counts."""

    figures: FigureColumns = field(default_factory=FigureColumns)
    references: ReferenceColumns = field(default_factory=ReferenceColumns)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def is_plain(self) -> bool:
        """Figures only: nothing that changes terms, nothing to park."""
        return not (self.references or self.refusals)


def read(batch: Batch) -> Reading:
    """Decode every message; the latest state of a key replaces the others in the batch."""
    reading = Reading()
    figures: dict[tuple[str, str], Availability] = {}
    channels: dict[str, Channel] = {}
    listings: dict[str, Listing] = {}
    products: dict[str, Product] = {}
    for message in batch.messages():
        topic = AVAILABILITY if message.topic == AVAILABILITY.name else REFERENCE_DATA
        found = topic.decode(message.value)
        match found:
            case Undecodable():
                reading.refusals.append(
                    Refusal(message=message, reason=found.reason.value, detail=found.detail)
                )
            case Availability():
                key = found.channel, found.sku
                known = figures.get(key)
                if known is None or known.version <= found.version:
                    figures[key] = found
            case Channel():
                _keep_latest(channels, found)
            case Listing():
                _keep_latest(listings, found)
            case Product():
                _keep_latest(products, found)
            case _:
                pass  # other reference data is of no concern here
    _fill_figures(reading, figures)
    _fill_channels(reading.references, channels)
    _fill_categories(reading.references, products)
    _fill_listings(reading.references, listings)
    return reading


def _keep_latest(kept: dict[str, R], record: R) -> None:
    known = kept.get(record.record_id)
    if known is None or known.revision <= record.revision:
        kept[record.record_id] = record


def _fill_figures(reading: Reading, figures: Mapping[tuple[str, str], Availability]) -> None:
    columns = reading.figures
    for figure in figures.values():
        columns.channels.append(figure.channel)
        columns.skus.append(figure.sku)
        columns.versions.append(figure.version)
        columns.available.append(0 if figure.closed else figure.available_to_sell)
        columns.caused.append(figure.computed_at)
        columns.buffers.append(figure.terms.channel_buffer)


def _fill_channels(references: ReferenceColumns, channels: Mapping[str, Channel]) -> None:
    told = references.channels
    for channel in channels.values():
        modes = [{"category": m.category, "mode": m.mode.value} for m in channel.category_modes]
        told.channels.append(channel.channel)
        told.begins.append(channel.from_ or ALWAYS)
        told.ends.append(channel.until)
        told.revisions.append(channel.revision)
        told.deleted.append(channel.deleted)
        told.modes.append(channel.mode.value)
        told.category_modes.append(json.dumps(modes))


def _fill_categories(references: ReferenceColumns, products: Mapping[str, Product]) -> None:
    rows = references.categories
    for product in products.values():
        rows.skus.append(product.sku)
        rows.begins.append(product.from_ or ALWAYS)
        rows.ends.append(product.until)
        rows.revisions.append(product.revision)
        rows.deleted.append(product.deleted)
        rows.categories.append(json.dumps(product.category))


def _fill_listings(references: ReferenceColumns, listings: Mapping[str, Listing]) -> None:
    rows = references.listings
    for listing in listings.values():
        rows.channels.append(listing.channel)
        rows.listings.append(listing.listing_id)
        rows.begins.append(listing.from_ or ALWAYS)
        rows.ends.append(listing.until)
        rows.revisions.append(listing.revision)
        rows.deleted.append(listing.deleted)
        rows.skus.append(listing.sku)
        rows.ids.append(json.dumps(listing.ids))
        rows.fulfilled_by.append(listing.fulfilled_by.value)
        rows.units.append(listing.units_per_listing)
        rows.modes.append(None if listing.mode is None else listing.mode.value)
