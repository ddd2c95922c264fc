"""The inbox on a real database: no wake-up is lost, no row holds up another, used rows go."""

import asyncio
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.ingestion.channels import Payload, Told
from services.ingestion.channels.woocommerce import WOOCOMMERCE, redact
from services.ingestion.handlers.folding import Folding
from services.ingestion.handlers.keeping import forget_used
from services.ingestion.handlers.referring import ReferenceHandler
from services.ingestion.repository import listings
from services.ingestion.repository.inbox import Delivery, Inbox
from services.ingestion.repository.listings import Code
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.batches import Batch, Fenced
from shared.postgres.connecting import Connection
from shared.postgres.positions import Positions
from shared.runtime.clock import ManualClock, SystemClock
from shared.testing.messages import a_batch, a_message
from tests.integration.ingestion.bench import Bench
from tests.unit.ingestion.builders import CHANNEL, KEY, a_woo_order

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def a_folding(bench: Bench, protocols: dict[str, Any] | None = None) -> Folding:
    """Over the bench's database; nobody runs it but the test."""
    return Folding(
        bench.pool, protocols or {"woocommerce": WOOCOMMERCE}, ManualClock(NOON), asyncio.Event(),
        sweep_seconds=30, woken=lambda: None,
    )  # fmt: skip


async def keep(bench: Bench, **overrides: Any) -> None:
    """A delivery in the inbox."""
    payload = redact(a_woo_order(**overrides), CHANNEL, KEY)
    assert payload is not None
    digest = repr(sorted(overrides.items())).encode()
    delivery = Delivery(
        channel=CHANNEL, protocol="woocommerce", body_sha256=digest, delivery_id=None, topic=None,
        payload=payload,
    )  # fmt: skip
    assert await Inbox(bench.pool).store(delivery)


def a_listing(code: str, **overrides: Any) -> dict[str, Any]:
    """A listing record."""
    record = {"kind": "listing", "channel": CHANNEL, "listing_id": code, "sku": f"S{code}"}
    return record | overrides


async def tell(bench: Bench, *records: dict[str, Any] | bytes, epoch: int | None = None) -> Batch:
    """The records as the next batch of reference-data-v1."""
    positions = Positions(bench.pool, schema="ingestion", owner="test")
    claim = await positions.claim(REFERENCE_DATA.name, 0, first_offset=0)
    first = claim.next_offset
    messages = [
        a_message(record, offset=first + i, topic=REFERENCE_DATA.name)
        for i, record in enumerate(records)
    ]
    batch = a_batch(messages, epoch=claim.epoch if epoch is None else epoch, expected=first)
    handler = ReferenceHandler(bench.pool, learned=lambda: None)
    await handler.apply(batch, await handler.decode(batch))
    return batch


async def test_a_code_that_comes_while_its_order_is_being_kept_is_not_missed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    folding = a_folding(bench)
    await keep(bench)
    look_up = listings.known

    async def overtaken(connection: Connection, codes: Collection[Code]) -> Any:
        found = await look_up(connection, codes)
        monkeypatch.undo()
        # The codes commit, and release nothing: the order is not kept yet.
        await tell(bench, a_listing("11"), a_listing("22"))
        assert await Inbox(bench.pool).release(10) == 0
        return found

    monkeypatch.setattr(listings, "known", overtaken)

    await folding.work_off()

    assert await bench.statuses() == {"folded": 1}


async def test_an_order_that_waits_for_ever_costs_one_look_and_no_loop(bench: Bench) -> None:
    folding = a_folding(bench)
    await keep(bench)

    async with asyncio.timeout(5):
        await folding.work_off()
        again = await folding.work_off()

    assert (await bench.statuses(), again) == ({"waiting": 1}, 0)


async def test_a_listing_that_was_taken_back_releases_nothing(bench: Bench) -> None:
    folding = a_folding(bench)
    await tell(bench, a_listing("11"), a_listing("22"), a_listing("22", revision=1, deleted=True))
    await keep(bench)

    await folding.work_off()

    assert await bench.statuses() == {"waiting": 1}


async def test_a_bug_on_one_delivery_holds_up_no_other(bench: Bench) -> None:
    def stumbling(payload: Payload, channel: str) -> Told:
        if payload["order"]["id"] == 501:
            raise KeyError("a bug")
        return WOOCOMMERCE.read(payload, channel)

    protocol = {f: getattr(WOOCOMMERCE, f) for f in WOOCOMMERCE.__slots__} | {"read": stumbling}
    folding = a_folding(bench, {"woocommerce": type(WOOCOMMERCE)(**protocol)})
    await tell(bench, a_listing("11"), a_listing("22"))
    await keep(bench)
    await keep(bench, id=502)

    await folding.work_off()

    (refused,) = await bench.ask("select * from ingestion.inbox where status = 'refused'")
    assert refused["reason"] == "internal_error"
    assert "KeyError" in refused["detail"]
    assert (await bench.statuses())["folded"] == 1


async def test_an_unknown_status_is_kept_with_its_reason(bench: Bench) -> None:
    await keep(bench, status="wc-packed")

    await a_folding(bench).work_off()

    (row,) = await bench.ask("select status, reason, detail from ingestion.inbox")
    assert (row["status"], row["reason"]) == ("refused", "unknown_type")
    assert "wc-packed" in row["detail"]


async def test_only_one_process_folds_at_a_time(bench: Bench) -> None:
    await keep(bench, status="wc-packed")

    async with bench.pool.acquire() as connection, connection.transaction():
        await connection.execute("select pg_advisory_xact_lock(hashtext('ingestion.fold'))")
        meanwhile = await a_folding(bench).fold_slice()
    afterwards = await a_folding(bench).fold_slice()

    assert (meanwhile, afterwards) == (0, 1)


async def test_a_fenced_batch_changes_nothing(bench: Bench) -> None:
    await tell(bench, a_listing("11"))

    with pytest.raises(Fenced):
        await tell(bench, a_listing("22"), epoch=1)

    rows = await bench.ask("select listing from ingestion.listings")
    assert [row["listing"] for row in rows] == ["11"]


async def test_a_late_record_does_not_undo_a_newer_revision(bench: Bench) -> None:
    await tell(bench, a_listing("11", revision=2, sku="NEW"), a_listing("11", revision=1))
    await tell(bench, a_listing("11", revision=1, sku="OLD"))

    (row,) = await bench.ask("select sku from ingestion.listings")
    assert row["sku"] == "NEW"


async def test_a_record_that_cannot_be_read_is_parked_and_the_next_one_read(bench: Bench) -> None:
    await tell(bench, b"{", a_listing("11", units_per_listing=-1), a_listing("22"))

    rows = await bench.ask("select reason from ingestion.parked order by kafka_offset")
    assert [row["reason"] for row in rows] == ["malformed", "invalid"]
    (row,) = await bench.ask("select listing from ingestion.listings")
    assert row["listing"] == "22"


async def test_a_delivery_goes_some_hours_after_its_use_and_what_waits_stays(bench: Bench) -> None:
    await tell(bench, a_listing("11"))
    await keep(bench, line_items=[])
    await keep(bench, id=502)
    await a_folding(bench).work_off()
    clock = ManualClock(SystemClock().now() + timedelta(hours=71))

    early = await forget_used(Inbox(bench.pool), clock, 72)
    clock.advance(seconds=7_200)
    late = await forget_used(Inbox(bench.pool), clock, 72)

    assert (early, late) == (0, 1)
    assert await bench.statuses() == {"waiting": 1}
