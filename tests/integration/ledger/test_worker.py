"""The ledger's worker processes against real Kafka and Postgres, killed and frozen at work."""

import asyncio
import json
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from shared.contracts.cloudevents import headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import REFERENCE_DATA, STOCK_LEVELS, STOCK_MOVEMENTS
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.postgres.connecting import connect
from shared.runtime.infrastructure import Addresses
from shared.testing.messages import NOON
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.ledger.bench import UNBALANCED

DEADLINE_SECONDS = 60.0
SKUS = [f"S{n}" for n in range(20)]
LOCATIONS = ["L1", "L2"]


@dataclass(slots=True)
class Plant:
    """A ledger of worker processes, and what was published to it."""

    addresses: Addresses
    database: str
    producer: AIOKafkaProducer
    folder: Path
    workers: list[ServiceProcess] = field(default_factory=list)
    sent: dict[str, tuple[str, str, int]] = field(default_factory=dict)

    def worker(self) -> ServiceProcess:
        """Start one more worker."""
        process = ServiceProcess(
            target="services.ledger.app:main_worker",
            environment=environment_of(self.addresses, postgres=self.database)
            | {"STOCKTIDE_LEDGER_WORKER_PORT": "0"},
            log_file=self.folder / f"worker-{len(self.workers)}.log",
        )
        process.start()
        self.workers.append(process)
        return process

    async def know(self) -> None:
        """Publish the SKUs and locations."""
        records = [({"kind": "product", "sku": sku}, f"product|{sku}") for sku in SKUS]
        records += [
            (
                {"kind": "location", "location_id": name, "location_kind": "store"},
                f"location|{name}",
            )
            for name in LOCATIONS
        ]
        await send_all(
            self.producer,
            [
                self._outgoing(REFERENCE_DATA.name, key, json.dumps(value), f"ref-{key}")
                for value, key in records
            ],
        )

    async def publish(self, rng: random.Random, count: int) -> None:
        """Random movements, a third of them told again, some out of order."""
        messages: list[Outgoing] = []
        for _ in range(count):
            ce_id = f"e{len(self.sent)}"
            sku, location = rng.choice(SKUS), rng.choice(LOCATIONS)
            kind, quantity = rng.choice(["receipt", "sale"]), rng.randint(1, 5)
            self.sent[ce_id] = (sku, location, quantity if kind == "receipt" else -quantity)
            value = json.dumps(
                {"type": kind, "sku": sku, "location": location, "quantity": quantity,
                 "occurred_at": NOON.isoformat()}
            )  # fmt: skip
            message = self._outgoing(STOCK_MOVEMENTS.name, sku, value, ce_id)
            messages += [message] * (2 if rng.random() < 0.3 else 1)
        rng.shuffle(messages)
        await send_all(self.producer, messages)

    async def publish_raw(self, value: bytes, ce_id: str) -> None:
        """One message with any value."""
        outgoing = self._outgoing(STOCK_MOVEMENTS.name, "S0", "", ce_id)
        await send_all(
            self.producer,
            [Outgoing(topic=outgoing.topic, partition=outgoing.partition, key=outgoing.key,
                      value=value, headers=outgoing.headers)],
        )  # fmt: skip

    def expected(self) -> dict[tuple[str, str], int]:
        """Levels that every fact counted once must give."""
        levels: dict[tuple[str, str], int] = {}
        for sku, location, delta in self.sent.values():
            levels[sku, location] = levels.get((sku, location), 0) + delta
        return levels

    async def settled(self) -> None:
        """Wait until every fact is posted and every state is published."""
        connection = await connect(self.database, application="test")
        try:

            async def quiet() -> bool:
                posted = await connection.fetchval("select count(*) from ledger.movements")
                unsent = await connection.fetchval("select count(*) from ledger.unpublished")
                return bool(posted == len(self.sent) and unsent == 0)

            await until(quiet, seconds=DEADLINE_SECONDS)
        finally:
            await connection.close()

    async def book(self) -> dict[tuple[str, str], int]:
        """The levels, after checking that they are the sum of their movements."""
        connection = await connect(self.database, application="test")
        try:
            assert await connection.fetch(UNBALANCED) == []
            rows = await connection.fetch(
                "select sku, location, sellable from ledger.levels join ledger.skus using (sku_id)"
                " join ledger.locations using (location_id)"
            )
        finally:
            await connection.close()
        return {(row["sku"], row["location"]): row["sellable"] for row in rows}

    async def topic_levels(self) -> dict[tuple[str, str], int]:
        """What a reader of stock-levels-v1 knows that keeps the highest version."""
        consumer = AIOKafkaConsumer(bootstrap_servers=self.addresses.kafka)
        await consumer.start()
        best: dict[tuple[str, str], tuple[int, int]] = {}
        try:
            parts = [TopicPartition(STOCK_LEVELS.name, p) for p in range(STOCK_LEVELS.partitions)]
            consumer.assign(parts)
            await consumer.seek_to_beginning(*parts)
            ends = await consumer.end_offsets(parts)
            async with asyncio.timeout(DEADLINE_SECONDS):
                while any([await consumer.position(tp) < ends[tp] for tp in parts]):
                    for messages in (await consumer.getmany(timeout_ms=200)).values():
                        for message in messages:
                            state = json.loads(message.value)
                            key = (state["sku"], state["location"])
                            new = (state["version"], state["sellable"])
                            best[key] = max(best.get(key, new), new)
        finally:
            await consumer.stop()
        return {key: sellable for key, (_, sellable) in best.items()}

    async def tell(
        self, topic: str, key: str, value: dict[str, object], *, source: str = "till:1"
    ) -> None:
        """One message of any source."""
        await send_all(
            self.producer,
            [self._outgoing(topic, key, json.dumps(value), f"{key}@{source}", source=source)],
        )

    def _outgoing(
        self, topic: str, key: str, value: str, ce_id: str, *, source: str = "till:1"
    ) -> Outgoing:
        return Outgoing(
            topic=topic, partition=partition_for(key.encode(), STOCK_MOVEMENTS.partitions),
            key=key.encode(), value=value.encode(),
            headers=headers_for(id_=ce_id, source=source, type_="test", time=NOON),
        )  # fmt: skip


@pytest_asyncio.fixture(loop_scope="session")
async def plant(stack: Addresses, database: str, tmp_path: Path) -> AsyncIterator[Plant]:
    await fresh_topics(stack.kafka)
    producer = await open_producer(stack.kafka)
    made = Plant(addresses=stack, database=database, producer=producer, folder=tmp_path)
    try:
        await made.know()
        yield made
    finally:
        for worker in made.workers:
            worker.kill()
        await producer.stop()


@pytest.fixture
def rng() -> random.Random:
    return random.Random(7)


async def has_claimed(worker: ServiceProcess) -> bool:
    """Has this worker been given partitions?"""
    return b"partitions_claimed" in worker.log_file.read_bytes()


async def test_movements_on_kafka_become_levels_and_states(
    plant: Plant, rng: random.Random
) -> None:
    worker = plant.worker()
    await plant.publish(rng, 500)

    await plant.settled()

    assert await plant.book() == plant.expected()
    assert await plant.topic_levels() == plant.expected()
    assert worker.stop() == 0


async def test_workers_killed_at_random_moments_lose_and_double_nothing(
    plant: Plant, rng: random.Random
) -> None:
    plant.worker()
    for _ in range(6):
        await plant.publish(rng, 400)
        await asyncio.sleep(rng.uniform(0.2, 1.5))  # the moment of the kill is the randomness
        plant.workers[-1].kill()
        plant.worker()

    await plant.settled()

    assert await plant.book() == plant.expected()
    assert await plant.topic_levels() == plant.expected()


async def test_two_workers_joining_and_leaving_lose_and_double_nothing(
    plant: Plant, rng: random.Random
) -> None:
    plant.worker()
    for _ in range(3):
        await plant.publish(rng, 300)
        second = plant.worker()
        await plant.publish(rng, 300)
        await until(partial(has_claimed, second), seconds=DEADLINE_SECONDS)
        assert second.stop() == 0

    await plant.settled()

    assert await plant.book() == plant.expected()


async def test_a_zombie_that_wakes_up_changes_nothing(plant: Plant, rng: random.Random) -> None:
    zombie = plant.worker()
    await plant.publish(rng, 200)
    await plant.settled()
    zombie.freeze()
    plant.worker()
    await plant.publish(rng, 200)
    await plant.settled()

    zombie.thaw()
    await plant.publish(rng, 200)
    await plant.settled()

    assert await plant.book() == plant.expected()
    assert await plant.topic_levels() == plant.expected()


async def test_poisoned_messages_park_alone_among_thousands(
    plant: Plant, rng: random.Random
) -> None:
    await plant.publish(rng, 1_500)
    await plant.publish_raw(b"\x00\xff", "poison-1")
    await plant.publish_raw(b'{"type":"sale","sku":"a\\u0000b"}', "poison-2")
    await plant.publish(rng, 1_500)
    plant.worker()

    await plant.settled()

    connection = await connect(plant.database, application="test")
    try:
        parked = await connection.fetchval(
            "select count(*) from ledger.parked where status = 'parked'"
        )
    finally:
        await connection.close()
    assert parked == 2
    assert await plant.book() == plant.expected()


async def test_a_worker_compares_what_a_shop_observes_and_notices_its_silence(
    plant: Plant,
) -> None:
    worker = plant.worker()
    record: dict[str, object] = {
        "kind": "source", "source_id": "shop:1", "source_kind": "shop", "role": "observes",
        "max_silence_seconds": 1,
    }  # fmt: skip
    parcel: dict[str, object] = {
        "type": "shipment", "sku": "S0", "location": "L1", "quantity": 2, "sequence": 1,
        "occurred_at": NOON.isoformat(), "order_line": {"order_id": "O1", "line_id": "1"},
    }  # fmt: skip
    connection = await connect(plant.database, application="test")

    async def holds(statement: str) -> bool:
        return bool(await connection.fetchval(statement))

    try:
        await plant.tell(REFERENCE_DATA.name, "source|shop:1|", record)
        await until(partial(holds, "select true from ledger.source_records"), seconds=60)
        await plant.tell(STOCK_MOVEMENTS.name, "S0", parcel, source="shop:1")
        await until(partial(holds, "select true from ledger.observations"), seconds=60)
        await plant.tell(STOCK_MOVEMENTS.name, "S0", parcel, source="wms:1")

        matched = "select true from ledger.observations where state = 'matched'"
        await until(partial(holds, matched), seconds=60)
        heard = "select count(*) = 2 from ledger.sources where heard_at is not null"
        await until(partial(holds, heard), seconds=60)
        counted = "select count(*) = 2 from ledger.sequences"
        await until(partial(holds, counted), seconds=60)
        await until(partial(holds, "select true from ledger.silences"), seconds=60)
    finally:
        await connection.close()

    assert await plant.book() == {("S0", "L1"): -2}
    assert worker.stop() == 0
