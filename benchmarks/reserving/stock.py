"""What is held from: places, a channel, SKUs with units, told to the ledger as anyone would."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime

from benchmarks.children import Child, watched
from benchmarks.progress import Progress, reached, until
from benchmarks.stack import publish_reference_data
from benchmarks.workload import Event, encode, location_name, sku_name, source_name
from shared.contracts.records import Message
from shared.contracts.reference import (
    Channel,
    Location,
    LocationKind,
    Product,
    Source,
    SourceKind,
)
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.infrastructure import Addresses

CHANNEL = "webshop"
PLENTY = 100_000_000
SETTLE_SECONDS_MAX = 120.0


def sku_of(number: int) -> str:
    """The name of the SKU with a number."""
    return sku_name(number)


def request_body(hold_id: str, sku: str) -> bytes:
    """One unit for a cart of the channel, from its pool."""
    told = {
        "hold_id": hold_id, "purpose": "cart", "channel": CHANNEL, "ttl_seconds": 3600,
        "lines": [{"sku": sku, "quantity": 1}],
    }  # fmt: skip
    return json.dumps(told).encode()


def reference_data(skus: int) -> Iterator[Message]:
    """One place, one channel over it, a source, and the SKUs."""
    place = location_name(0)
    yield Location(kind="location", location_id=place, location_kind=LocationKind.CENTRAL)
    yield Source(kind="source", source_id=source_name(0), source_kind=SourceKind.WMS)
    yield Channel(kind="channel", channel=CHANNEL, pool=(place,))
    for number in range(skus):
        yield Product(kind="product", sku=sku_of(number))


async def stock_up(
    addresses: Addresses, stock: Mapping[int, int], children: Sequence[Child],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Give the SKUs their units, and wait until the ledger has booked them and told so."""
    say(f"{len(stock):,} SKUs get their stock")
    await publish_reference_data(addresses.kafka, list(reference_data(len(stock))))
    producer = await open_producer(addresses.kafka)
    try:
        await send_all(producer, [_receipt(number, units) for number, units in stock.items()])
    finally:
        await producer.stop()
    async with Progress(addresses) as progress:

        async def is_booked() -> bool:
            for topic in (REFERENCE_DATA, STOCK_MOVEMENTS):
                ends = await progress.ends(topic)
                if not reached(await progress.positions("ledger", topic), ends):
                    return False
            return await progress.has_nothing_unpublished("ledger")

        await until(
            "the stock", is_booked, seconds_max=SETTLE_SECONDS_MAX, alive=watched(children),
            pause=0.2,
        )  # fmt: skip


def _receipt(number: int, units: int) -> Outgoing:
    event = Event(f"stock-{number}", number, 0, "receipt", units, datetime.now(UTC))
    partition, key, value, headers = encode(event)
    return Outgoing(
        topic=STOCK_MOVEMENTS.name, partition=partition, key=key, value=value, headers=headers
    )
