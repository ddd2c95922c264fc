"""Kits from an order to the figures: ledger, orders and availability in processes of their own."""

import asyncio
import json
import random
import socket
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest_asyncio
from aiokafka import AIOKafkaProducer

from shared.contracts.cloudevents import headers_for
from shared.contracts.partitions import partition_for
from shared.contracts.topics import ORDERS, REFERENCE_DATA, STOCK_MOVEMENTS, Topic
from shared.kafka.producing import Outgoing, open_producer, send_all
from shared.postgres.connecting import Connection, connect
from shared.runtime.infrastructure import Addresses
from shared.testing.messages import NOON, a_movement
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.servers import Databases
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.availability.bench import migrate_availability
from tests.integration.ledger.bench import migrate_ledger
from tests.integration.orders.bench import migrate_orders

SECONDS = 60.0
DUO = {"LAMP": 2, "BULB": 1}
SOLO = {"LAMP": 1}
PLACES = ("L1", "L2")
CHANNELS = ("web", "market")
SERVICES = {
    "ledger": "services.ledger.app:main_worker",
    "orders": "services.orders.app:main",
    "availability": "services.availability.app:main",
}
# What is free at each place, by the ledger's own rows.
FREE = """
select sku, location, (sellable - reserved - allocated)::int as free
from ledger.levels join ledger.skus using (sku_id) join ledger.locations using (location_id)
"""
ANSWERED = """
select count(*) from orders.lines l join orders.outcomes a using (order_id, line_id)
where a.decided_for >= l.revision
"""
SHORT = "select coalesce(sum(short), 0)::int from orders.outcomes"
SERVED = """
select sku, sum(quantity - case when a.level_id = o.candidates[1] then o.short else 0 end)::int
from ledger.allocations a join ledger.order_lines o using (order_line_id)
join ledger.skus using (sku_id) group by sku
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    async def migrate(dsn: str) -> None:
        await migrate_ledger(dsn)
        await migrate_orders(dsn)
        await migrate_availability(dsn)

    return await databases.template("kits", migrate)


@dataclass(slots=True)
class Trade:
    """The three services at work, who tells them things, and who looks."""

    producer: AIOKafkaProducer
    http: httpx.AsyncClient
    database: Connection
    orders: int = 0
    told: int = field(default=0)

    async def tell(self, topic: Topic, key: str, partition_key: str, value: object) -> None:
        """Produce one message."""
        self.told += 1
        headers = headers_for(id_=f"m{self.told}", source="wms:1", type_=topic.ce_type, time=NOON)
        partition = partition_for(partition_key.encode(), topic.partitions)
        message = Outgoing(
            topic=topic.name, partition=partition, key=key.encode(),
            value=json.dumps(value, default=str).encode(), headers=headers,
        )  # fmt: skip
        await send_all(self.producer, [message])

    async def refer(self, key: str, **record: object) -> None:
        """Tell a reference record."""
        await self.tell(REFERENCE_DATA, key, key, record)

    async def receive(self, sku: str, location: str, quantity: int) -> None:
        """Goods come in."""
        value = a_movement(type="receipt", sku=sku, location=location, quantity=quantity)
        value["occurred_at"] = NOON.isoformat()
        await self.tell(STOCK_MOVEMENTS, sku, sku, value)

    async def order(self, sku: str, channel: str) -> None:
        """A customer has bought one."""
        self.orders += 1
        name = f"O{self.orders}"
        await self.tell(
            ORDERS, name, name,
            {"order_id": name, "channel": channel, "state": "confirmed", "version": 1,
             "lines": [{"line_id": "1", "sku": sku, "quantity": 1}]},
        )  # fmt: skip

    async def figure(self, sku: str, channel: str = "web") -> int | None:
        """What the channel is shown; None while it can't be told."""
        try:
            answer = await self.http.get(f"/v1/availability/{sku}", params={"channel": channel})
        except httpx.TransportError:
            return None
        if answer.status_code != 200 or channel not in answer.json()["channels"]:
            return None
        found: int = answer.json()["channels"][channel]["available_to_sell"]
        return found

    async def figures(self) -> dict[str, int | None]:
        """What the channel `web` is shown of everything."""
        return {sku: await self.figure(sku) for sku in ("LAMP", "BULB", "DUO", "SOLO")}

    async def expected(self) -> dict[str, int]:
        """The figures by the ledger's rows, put together without availability's formula."""
        free = {place: dict.fromkeys(("LAMP", "BULB"), 0) for place in PLACES}
        for row in await self.database.fetch(FREE):
            free[row["location"]][row["sku"]] = row["free"]
        found = {part: sum(free[place][part] for place in PLACES) for part in ("LAMP", "BULB")}
        for kit, parts in (("DUO", DUO), ("SOLO", SOLO)):
            found[kit] = sum(
                min(max(0, free[place][part]) // each for part, each in parts.items())
                for place in PLACES
            )
        return found

    async def served(self) -> dict[str, int]:
        """Units of each SKU that orders have, without what is short."""
        return {row[0]: row[1] for row in await self.database.fetch(SERVED)}

    async def settled(self) -> dict[str, int]:
        """Wait until every order is answered and all figures are what the ledger has."""

        async def is_quiet() -> bool:
            answered = await self.database.fetchval(ANSWERED)
            due = await self.database.fetchval("select count(*) from ledger.due")
            return (answered, due) == (self.orders, 0) and (
                await self.figures() == await self.expected()
            )

        await until(is_quiet, seconds=SECONDS)
        return await self.expected()


@pytest_asyncio.fixture(loop_scope="session")
async def trade(
    stack: Addresses, database: str, redis_url: str, tmp_path: Path
) -> AsyncIterator[Trade]:
    await fresh_topics(stack.kafka)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = environment_of(stack, postgres=database, redis=redis_url) | {
        "STOCKTIDE_AVAILABILITY_PORT": str(port),
        "STOCKTIDE_ORDERS_PORT": "0",
        "STOCKTIDE_LEDGER_WORKER_PORT": "0",
    }
    running = [
        ServiceProcess(target, environment, tmp_path / f"{name}.log")
        for name, target in SERVICES.items()
    ]
    producer = await open_producer(stack.kafka)
    connection = await connect(database, application="test")
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http:
            made = Trade(producer=producer, http=http, database=connection)
            await _know(made)
            for process in running:
                process.start()
            yield made
    finally:
        for process in running:
            process.kill()
            print(process.log_file.read_text()[-3000:])  # noqa: T201  (shown when a test fails)
        await connection.close()
        await producer.stop()


async def _know(trade: Trade) -> None:
    kits: Mapping[str, Mapping[str, int]] = {"LAMP": {}, "BULB": {}, "DUO": DUO, "SOLO": SOLO}
    for sku, parts in kits.items():
        kit = [{"sku": part, "quantity": each} for part, each in parts.items()]
        await trade.refer(f"product|{sku}|", kind="product", sku=sku, kit=kit)
    for place in PLACES:
        await trade.refer(
            f"location|{place}|", kind="location", location_id=place, location_kind="store"
        )
    for channel in CHANNELS:
        await trade.refer(f"channel|{channel}|", kind="channel", channel=channel, pool=list(PLACES))


async def test_kits_and_parts_are_sold_to_the_last_and_never_twice(trade: Trade) -> None:
    rng = random.Random(7)
    for sku, place, units in (("LAMP", "L1", 6), ("BULB", "L1", 2), ("LAMP", "L2", 3),
                              ("BULB", "L2", 1)):  # fmt: skip
        await trade.receive(sku, place, units)
    shown = await trade.settled()
    assert shown == {"LAMP": 9, "BULB": 3, "DUO": 3, "SOLO": 9}

    # One kit less: its parts, and every kit that shares one, have less.
    await trade.order("DUO", "web")
    shown = await trade.settled()
    assert shown == {"LAMP": 7, "BULB": 2, "DUO": 2, "SOLO": 7}

    # Buyers of both channels buy what they are shown, until nothing is shown any more.
    while on_sale := sorted(sku for sku, units in shown.items() if units > 0):
        await trade.order(rng.choice(on_sale), rng.choice(CHANNELS))
        shown = await trade.settled()

    assert shown == {"LAMP": 0, "BULB": 0, "DUO": 0, "SOLO": 0}
    assert await trade.database.fetchval(SHORT) == 0

    # The last parts come in, and both channels sell them at once, as kits and one by one.
    await asyncio.gather(trade.receive("LAMP", "L1", 2), trade.receive("BULB", "L1", 1))
    served = await trade.served()
    for sku in ("DUO", "BULB", "LAMP", "DUO"):
        await asyncio.gather(*(trade.order(sku, channel) for channel in CHANNELS))
    await _answered(trade)

    after = await trade.served()
    assert {sku: after[sku] - served[sku] for sku in after} == {"LAMP": 2, "BULB": 1}
    assert (await trade.figures())["DUO"] == 0


async def _answered(trade: Trade) -> None:
    """Wait until every order is answered and the ledger has nothing left to look at again."""

    async def is_quiet() -> bool:
        answered = await trade.database.fetchval(ANSWERED)
        due = await trade.database.fetchval("select count(*) from ledger.due")
        shown = await trade.figures()
        return (answered, due) == (trade.orders, 0) and set(shown.values()) == {0}

    await until(is_quiet, seconds=SECONDS)
