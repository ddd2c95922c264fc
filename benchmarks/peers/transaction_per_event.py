"""Peer: what most services do: read an event, write it in a transaction of its own, read the next.

    python transaction_per_event.py KAFKA TOPIC PARTITIONS EVENTS SECONDS_MAX FOLDER

Prints {"events": …, "seconds": …}: from the first event to the last, or to the time limit. The
DSN is read from STOCKTIDE_POSTGRES. One transaction inserts the movement unless its id is known,
changes the level and moves the position; in tables of its own, with the server's durability.
"""

import json
import os
import sys
import time
from collections.abc import Mapping

import asyncpg
import uvloop
from aiokafka import AIOKafkaConsumer

KAFKA, TOPIC, PARTITIONS, EVENTS, SECONDS_MAX, FOLDER = sys.argv[1:7]
WANTED = int(EVENTS)

SCHEMA = """
drop schema if exists peer cascade;
create schema peer;
create table peer.movements (source text, id text, type text, sku text, location text,
    quantity bigint, occurred_at timestamptz, primary key (source, id));
create table peer.levels (sku text, location text, sellable bigint not null,
    version bigint not null default 0, primary key (sku, location)) with (fillfactor = 70);
create table peer.positions (topic text, partition integer, next_offset bigint not null,
    primary key (topic, partition)) with (fillfactor = 50);
"""
MOVEMENT = """
insert into peer.movements values ($1, $2, $3, $4, $5, $6, $7::text::timestamptz)
on conflict do nothing returning 1
"""
LEVEL = """
insert into peer.levels as l values ($1, $2, $3)
on conflict (sku, location) do update set sellable = l.sellable + $3, version = l.version + 1
"""
POSITION = """
insert into peer.positions values ($1, $2, $3)
on conflict (topic, partition) do update set next_offset = excluded.next_offset
"""


async def main() -> None:
    """Read and write until enough, or until the time is up."""
    connection = await asyncpg.connect(os.environ["STOCKTIDE_POSTGRES"])
    await connection.execute(SCHEMA)
    consumer = AIOKafkaConsumer(
        TOPIC, bootstrap_servers=KAFKA, group_id=f"per-event-{os.getpid()}",
        auto_offset_reset="earliest", enable_auto_commit=False,
    )  # fmt: skip
    await consumer.start()
    count, begun, now = 0, 0.0, 0.0
    async for message in consumer:
        begun = begun or time.perf_counter()
        headers = dict(message.headers)
        await apply(connection, message.partition, message.offset, message.value, headers)
        count, now = count + 1, time.perf_counter()
        if count == WANTED or now - begun > float(SECONDS_MAX):
            break
    print(json.dumps({"events": count, "seconds": now - begun, "version": asyncpg.__version__}))
    await consumer.stop()
    await connection.execute("drop schema peer cascade")
    await connection.close()


async def apply(
    connection: "asyncpg.Connection[asyncpg.Record]",
    partition: int,
    offset: int,
    value: bytes,
    headers: Mapping[str, bytes],
) -> None:
    """One event, one transaction."""
    told = json.loads(value)
    quantity = told["quantity"] if told["type"] == "receipt" else -told["quantity"]
    async with connection.transaction():
        is_new = await connection.fetchval(
            MOVEMENT, headers["ce_source"].decode(), headers["ce_id"].decode(), told["type"],
            told["sku"], told["location"], told["quantity"], told["occurred_at"],
        )  # fmt: skip
        if is_new:
            await connection.execute(LEVEL, told["sku"], told["location"], quantity)
        await connection.execute(POSITION, TOPIC, partition, offset + 1)


if __name__ == "__main__":
    uvloop.run(main())
