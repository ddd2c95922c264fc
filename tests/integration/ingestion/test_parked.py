"""Refused deliveries and unreadable records: one room, and one way back."""

import asyncio
from typing import Any

from services.ingestion.channels import Payload, Told
from services.ingestion.channels.woocommerce import WOOCOMMERCE
from services.ingestion.handlers.referring import ReferenceHandler
from services.ingestion.repository import listings
from services.ingestion.repository.listings import ListingRecord
from shared.contracts.topics import REFERENCE_DATA
from shared.postgres.connecting import Connection
from shared.postgres.parking import UNFENCED
from shared.postgres.positions import Positions
from shared.testing.messages import a_batch, a_message
from tests.integration.ingestion.bench import Bench
from tests.integration.ingestion.test_folding import NOON, a_folding, keep
from tests.unit.ingestion.builders import CHANNEL


class Broken:
    """A protocol with a bug."""

    def __getattr__(self, name: str) -> Any:
        return getattr(WOOCOMMERCE, name)

    def read(self, payload: Payload, channel: str) -> Told:
        raise ZeroDivisionError(channel)


async def know_every_listing(connection: Connection) -> None:
    names = [str(n) for n in range(200)]
    records = [
        ListingRecord(
            channel=CHANNEL, listing=name, from_at=NOON.replace(year=2020), until_at=None,
            revision=0, is_deleted=False, sku=f"S{name}", units=1, fulfilled_by="us",
        )
        for name in names
    ]  # fmt: skip
    await listings.fold(connection, UNFENCED, records)


async def test_a_refused_delivery_is_parked_and_folded_once_when_it_is_replayed(
    bench: Bench,
) -> None:
    async with bench.pool.acquire() as connection:
        await know_every_listing(connection)
    await keep(bench)
    await a_folding(bench, {"woocommerce": Broken()}).work_off()
    (parked,) = await bench.ask("select * from ingestion.parked")
    assert (parked["topic"], parked["reason"]) == ("inbox", "internal_error")
    handler = ReferenceHandler(bench.pool, learned=lambda: None)

    taken = await asyncio.gather(*(handler.replay([parked["parked_id"]]) for _ in range(3)))
    assert sorted(taken) == [0, 0, 1]
    assert await bench.statuses() == {"received": 1}
    await a_folding(bench).work_off()

    assert sum((await bench.statuses()).values()) == 1
    assert "refused" not in await bench.statuses()
    assert await bench.ask("select 1 from ingestion.parked where status = 'parked'") == []


async def test_a_delivery_that_is_refused_again_is_parked_again_in_the_same_row(
    bench: Bench,
) -> None:
    await keep(bench)
    broken = a_folding(bench, {"woocommerce": Broken()})
    await broken.work_off()
    (before,) = await bench.ask("select parked_id from ingestion.parked")

    assert await ReferenceHandler(bench.pool, learned=lambda: None).replay([before["parked_id"]])
    await broken.work_off()

    (after,) = await bench.ask("select parked_id, status, released_at from ingestion.parked")
    assert (after["parked_id"], after["status"]) == (before["parked_id"], "parked")
    assert after["released_at"] is None


async def test_a_parked_record_is_kept_when_it_can_be_read(bench: Bench) -> None:
    learned: list[int] = []
    handler = ReferenceHandler(bench.pool, learned=lambda: learned.append(1))
    topic = REFERENCE_DATA.name
    positions = Positions(bench.pool, schema="ingestion", owner="test")
    claim = await positions.claim(topic, 0, first_offset=0)
    batch = a_batch([a_message(b"nonsense", topic=topic)], epoch=claim.epoch, expected=0)
    await handler.apply(batch, await handler.decode(batch))
    listing = {"kind": "listing", "channel": "web", "listing_id": "1", "sku": "S1"}
    (row,) = await bench.ask(
        "update ingestion.parked set value = $1 returning parked_id",
        a_message(listing, topic=topic).value,
    )

    assert await handler.replay([row["parked_id"]]) == 1

    assert await bench.ask("select sku from ingestion.listings") == [{"sku": "S1"}]
    assert learned
