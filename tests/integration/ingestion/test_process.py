"""The whole service on real servers: HTTP in, Postgres between, Kafka out; and faults."""

import asyncio
import gc
import json
import logging

import pytest

from services.ingestion.repository.orders import OrderStates
from shared.contracts.cloudevents import BATCH, identity_of
from shared.contracts.topics import STOCK_MOVEMENTS
from tests.integration.ingestion.bench import Bench, free_port, read_topic, values
from tests.unit.ingestion.builders import (
    PERSONAL,
    a_shopify_order,
    a_shopify_refund,
    a_woo_order,
)

pytestmark = pytest.mark.usefixtures("topics")

LISTINGS = (
    {"listing_id": "11", "sku": "S1", "units_per_listing": 6},
    {"listing_id": "22", "sku": "S2"},
)


async def test_an_order_goes_from_the_shop_to_kafka_and_its_person_nowhere(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="services")
    await bench.tell_listings(*LISTINGS)

    async with bench.process() as http:
        answer = await bench.deliver(http, a_woo_order())
        assert answer.json() == {"fate": "stored"}
        (message,) = await bench.orders(1)
        await bench.has(folded=1)

    (order,) = values([message])
    assert message.key == f"{bench.woo}:501".encode()
    assert (order["state"], order["zone"]) == ("confirmed", "FR-75")
    assert order["customer_ref"].startswith("c_")
    lines = [(line["line_id"], line["sku"], line["quantity"]) for line in order["lines"]]
    assert lines == [("1", "S1", 18), ("2", "S2", 1)]
    assert identity_of(message.headers) is not None
    everywhere = await bench.everything() + repr(message) + caplog.text
    assert [word for word in PERSONAL if word in everywhere] == []
    assert f"{bench.woo}:501" in everywhere


async def test_without_kafka_webhooks_are_taken_and_go_out_later(bench: Bench) -> None:
    await bench.tell_listings(*LISTINGS)

    async with bench.process(kafka=f"127.0.0.1:{free_port()}") as http:
        answers = [
            await bench.deliver(http, order) for order in (a_woo_order(), a_woo_order(id=502))
        ]
        event = await http.post("/v1/events", content=b"[]", headers={"content-type": BATCH})
    assert [answer.status_code for answer in answers] == [200, 200]
    assert event.status_code == 503
    gc.collect()
    async with bench.process():
        messages = await bench.orders(2)

    assert {message.key for message in messages} == {
        f"{bench.woo}:501".encode(),
        f"{bench.woo}:502".encode(),
    }


async def test_a_crash_between_sending_and_marking_tells_the_same_state_again(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await bench.tell_listings(*LISTINGS)
    crashed = asyncio.Event()

    async def crash(_: OrderStates, __: object) -> None:
        crashed.set()
        await asyncio.Event().wait()  # until the process is gone

    with monkeypatch.context() as patch:
        patch.setattr(OrderStates, "forget", crash)
        async with bench.process() as http:
            await bench.deliver(http, a_woo_order())
            async with asyncio.timeout(20):
                await crashed.wait()
    async with bench.process():
        messages = await bench.orders(2)

    first, second = values(messages)
    assert first == second
    assert await bench.ask("select 1 from ingestion.unpublished") == []


async def test_an_order_with_an_unknown_code_waits_and_is_released_by_itself(bench: Bench) -> None:
    known, late = LISTINGS
    async with bench.process() as http:
        await bench.tell_listings(known)
        await bench.knows(1)
        await bench.deliver(http, a_woo_order())
        later = {"status": "cancelled", "date_modified_gmt": "2026-06-01T10:01:00"}
        await bench.deliver(http, a_woo_order(**later))
        await bench.has(waiting=2)

        await bench.tell_listings(late)

        await bench.has(folded=2)
        messages = await bench.orders(1)

    assert values(messages)[-1]["state"] == "cancelled"


async def test_a_refund_waits_for_its_order_and_lowers_what_is_wanted(bench: Bench) -> None:
    await bench.tell_listings(*LISTINGS)
    async with bench.process() as http:
        refund = a_shopify_refund((1, 1, "cancel"))
        await bench.deliver_shopify(http, refund, "refunds/create")
        await bench.has(waiting=1)

        await bench.deliver_shopify(http, a_shopify_order(), "orders/create")

        await bench.has(folded=2)
        messages = await bench.orders(1)
        (row,) = await bench.ask("select state from ingestion.orders")

    assert messages[-1].key == f"{bench.shopify}:501".encode()
    lines = {line["line_id"]: line["cancelled"] for line in json.loads(row["state"])["lines"]}
    assert lines == {"1": 6, "2": 0}


async def test_a_delivery_that_comes_late_or_again_changes_nothing(bench: Bench) -> None:
    await bench.tell_listings(*LISTINGS)
    newer = a_woo_order(
        status="completed", date_modified_gmt="2026-06-02T10:00:00",
        date_completed_gmt="2026-06-02T10:00:00",
    )  # fmt: skip
    async with bench.process() as http:
        for order in (newer, a_woo_order(), newer):
            await bench.deliver(http, order)
        await bench.has(folded=2)
        await bench.deliver(http, a_woo_order(id=502))
        messages = await bench.orders(2)
        await bench.has(folded=3)
        (row,) = await bench.ask(
            "select state->>'state' as state from ingestion.orders where order_id = $1",
            f"{bench.woo}:501",
        )

    assert row["state"] == "closed"
    told = [o["state"] for o in values(messages) if o["order_id"] == f"{bench.woo}:501"]
    assert told == ["closed"]


async def test_events_are_acknowledged_with_the_place_where_kafka_has_them(bench: Bench) -> None:
    events = [
        {"specversion": "1.0", "id": f"m{i}", "source": bench.woo,
         "type": "io.stocktide.movement.v1",
         "data": {"type": "sale", "sku": f"S{i % 3}", "location": "L1", "quantity": 1,
                  "occurred_at": "2026-06-01T12:00:00Z"}}
        for i in range(30)
    ]  # fmt: skip
    async with bench.process() as http:
        await bench.knows(0)
        answer = None
        async with asyncio.timeout(20):
            while answer is None or answer.status_code == 503:  # until the producer is open
                answer = await http.post("/v1/events", content=json.dumps(events).encode(),
                                         headers={"content-type": BATCH})  # fmt: skip
    assert answer.status_code == 202, answer.text
    messages = await read_topic(
        bench.kafka, STOCK_MOVEMENTS.name, 30,
        lambda m: (identity_of(m.headers) or ("", ""))[0] == bench.woo,
    )  # fmt: skip

    places = {
        (entry["id"], entry["partition"], entry["offset"]) for entry in answer.json()["accepted"]
    }
    found = {(identity_of(m.headers), m.partition, m.offset) for m in messages}
    assert {((bench.woo, id_), partition, offset) for id_, partition, offset in places} == found
