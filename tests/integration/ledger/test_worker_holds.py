"""Holds over a real broker: asked on one topic, answered on another, whatever dies in between."""

import asyncio
import json
import random

from aiokafka import AIOKafkaConsumer, TopicPartition

from shared.contracts.cloudevents import headers_for
from shared.contracts.hold_requests import HoldAnswer
from shared.contracts.holds import HoldState
from shared.contracts.topics import HOLD_ANSWERS, HOLD_REQUESTS
from shared.kafka.producing import Outgoing, send_all
from shared.postgres.connecting import connect
from shared.testing.messages import NOON
from tests.integration.ledger.test_worker import DEADLINE_SECONDS, Plant, plant

__all__ = ["plant"]  # a fixture
ASKED = 40


async def ask(plant: Plant) -> None:
    """More units than there are, one hold each."""
    messages = [
        {"kind": "reserve", "hold_id": f"h{n}", "purpose": "cart", "ttl_seconds": 600,
         "lines": [{"sku": "S0", "quantity": 1, "locations": ["L1"]}]}
        for n in range(ASKED)
    ]  # fmt: skip
    await send_all(
        plant.producer,
        [
            Outgoing(
                topic=HOLD_REQUESTS.name, partition=0, key=str(told["hold_id"]).encode(),
                value=json.dumps(told).encode(),
                headers=headers_for(
                    id_=str(told["hold_id"]), source="shop", type_=HOLD_REQUESTS.ce_type, time=NOON
                ),
            )
            for told in messages
        ],
    )  # fmt: skip


async def answers(plant: Plant) -> dict[str, set[HoldState | None]]:
    """What every hold was answered, until each has one."""
    consumer = AIOKafkaConsumer(bootstrap_servers=plant.addresses.kafka)
    await consumer.start()
    found: dict[str, set[HoldState | None]] = {}
    try:
        parts = [TopicPartition(HOLD_ANSWERS.name, p) for p in range(HOLD_ANSWERS.partitions)]
        consumer.assign(parts)
        await consumer.seek_to_beginning(*parts)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while len(found) < ASKED:
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    for message in messages:
                        told = HOLD_ANSWERS.decode(message.value)
                        assert isinstance(told, HoldAnswer), told
                        state = told.hold.state if told.hold else None
                        found.setdefault(told.hold_id, set()).add(state)
    finally:
        await consumer.stop()
    return found


async def test_every_request_has_one_answer_though_its_worker_is_killed(plant: Plant) -> None:
    first = plant.worker()
    plant.sent["seed"] = ("S0", "L1", 25)
    await plant.tell(
        "stock-movements-v1", "S0",
        {"type": "receipt", "sku": "S0", "location": "L1", "quantity": 25,
         "occurred_at": NOON.isoformat()},
    )  # fmt: skip
    await plant.settled()

    await ask(plant)
    await asyncio.sleep(random.Random(3).random() * 0.2)
    first.kill()
    plant.worker()
    found = await answers(plant)

    assert {len(states) for states in found.values()} == {1}
    assert [found[f"h{n}"] for n in range(ASKED)].count({HoldState.HELD}) == 25
    connection = await connect(plant.database, application="test")
    try:
        assert await connection.fetchval("select sum(reserved) from ledger.levels") == 25
    finally:
        await connection.close()
