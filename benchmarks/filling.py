"""The shop of P2 before the clock runs: its listings, and the stock that they show."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from benchmarks.catalogue import CHANNEL
from benchmarks.children import Child, watched
from benchmarks.pacing import entry_of
from benchmarks.progress import Progress, until
from benchmarks.shop import Shop
from benchmarks.workload import Event, encode, location_name, sku_name, source_name
from shared.contracts.records import Message
from shared.contracts.reference import (
    Channel,
    Listing,
    Location,
    LocationKind,
    Product,
    Source,
    SourceKind,
)
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.runtime.infrastructure import Addresses

STOCK = 1_000_000
SETTLE_SECONDS_MAX = 120.0


def reference_data(skus: int) -> Iterator[Message]:
    """One location, one shop over it, and a listing for every SKU."""
    place = location_name(0)
    yield Location(kind="location", location_id=place, location_kind=LocationKind.CENTRAL)
    yield Source(kind="source", source_id=source_name(0), source_kind=SourceKind.WMS)
    yield Channel(kind="channel", channel=CHANNEL, pool=(place,))
    for number in range(skus):
        sku, entry = sku_name(number), str(entry_of(number))
        yield Product(kind="product", sku=sku)
        yield Listing(
            kind="listing", channel=CHANNEL, listing_id=entry, ids={"product_id": entry}, sku=sku
        )


async def stock_up(
    addresses: Addresses, progress: Progress, shop: Shop, children: Sequence[Child],
    say: Callable[[str], None],
) -> None:  # fmt: skip
    """Give every SKU its stock, and wait until the shop shows it."""
    say("services are ready; filling the shop")
    alive = watched(children)
    await until(
        "the reference data", progress.knows_reference_data,
        seconds_max=SETTLE_SECONDS_MAX, alive=alive, pause=0.2,
    )  # fmt: skip
    producer = await open_producer(addresses.kafka)
    try:
        await send_all(producer, [_receipt(number) for number in range(shop.products)])
    finally:
        await producer.stop()
    shown: dict[int, int] = {}

    async def is_full() -> bool:
        shown.update((call.entry, call.value) for call in shop.new_calls())
        return sum(value == STOCK for value in shown.values()) == shop.products

    await until("the stock", is_full, seconds_max=SETTLE_SECONDS_MAX, alive=alive, pause=0.2)


def _receipt(number: int) -> Outgoing:
    event = Event(f"stock-{number}", number, 0, "receipt", STOCK, datetime.now(UTC))
    partition, key, value, headers = encode(event)
    return Outgoing(
        topic=STOCK_MOVEMENTS.name, partition=partition, key=key, value=value, headers=headers
    )
