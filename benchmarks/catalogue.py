"""The reference data that a run's events speak of."""

from collections.abc import Iterator

from benchmarks.workload import SOURCES, Shape, location_name, sku_name, source_name
from shared.contracts.records import Message
from shared.contracts.reference import (
    Channel,
    Location,
    LocationKind,
    Policy,
    Product,
    Scope,
    Source,
    SourceKind,
)

CHANNEL = "webshop"
LOCATION_BUFFER = 2
CHANNEL_BUFFER = 5


def reference_data(shape: Shape) -> Iterator[Message]:
    """Products, locations, one channel over all of them, its buffers, and the sources."""
    for number in range(shape.skus):
        yield Product(kind="product", sku=sku_name(number), name=f"Product {number}")
    places = tuple(location_name(number) for number in range(shape.locations))
    for place in places:
        yield Location(kind="location", location_id=place, location_kind=LocationKind.STORE)
    yield Channel(kind="channel", channel=CHANNEL, pool=places)
    yield Policy(
        kind="policy", policy_id="location-buffer", term="location_buffer", value=LOCATION_BUFFER
    )
    yield Policy(
        kind="policy", policy_id="channel-buffer", term="channel_buffer", value=CHANNEL_BUFFER,
        scope=Scope(channel=CHANNEL),
    )  # fmt: skip
    for number in range(SOURCES):
        yield Source(kind="source", source_id=source_name(number), source_kind=SourceKind.POS)
