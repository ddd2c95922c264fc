"""Peer: what most services do for a reservation: a transaction a request, the level's row locked.

    python holds_transaction.py SKUS CALLERS SECONDS

Prints a line of JSON. The DSN is read from STOCKTIDE_POSTGRES. Each caller has a connection of its
own, in process: `select … for update`, a row for the hold, the counter, commit. SKUS is 1 for one
hot SKU. No terms, no pool of places, no expiry, no carts, no answer for the same id again.
"""

import asyncio
import json
import os
import sys
import time

import asyncpg
import uvloop

SKUS, CALLERS, SECONDS = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
WARM_UP_SECONDS = 1.0
SCHEMA = """
drop schema if exists peer cascade;
create schema peer;
create table peer.levels (sku integer primary key, sellable bigint not null,
    reserved bigint not null default 0) with (fillfactor = 70);
create table peer.holds (hold_id text primary key, sku integer not null, quantity bigint not null,
    created_at timestamptz not null default now());
"""


async def main() -> None:
    """Callers ask one after the other until the time is up."""
    dsn = os.environ["STOCKTIDE_POSTGRES"]
    first = await asyncpg.connect(dsn)
    await first.execute(SCHEMA)
    await first.execute(
        "insert into peer.levels select n, 100000000 from generate_series(0, $1::int - 1) n", SKUS
    )
    start = time.perf_counter()
    counts_from, until = start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + SECONDS
    accepted, times = 0, []

    async def ask_on(caller: int) -> None:
        nonlocal accepted
        connection = await asyncpg.connect(dsn)
        number = 0
        while (began := time.perf_counter()) < until:
            held = await reserve(connection, f"{caller}-{number}", (caller * 7919 + number) % SKUS)
            ended, number = time.perf_counter(), number + 1
            if counts_from <= began and ended <= until:
                accepted += held
                times.append((ended - began) * 1e3)
        await connection.close()

    await asyncio.gather(*map(ask_on, range(CALLERS)))
    await first.execute("drop schema peer cascade")
    await first.close()
    times.sort()
    p99 = times[max(0, -(-len(times) * 99 // 100) - 1)] if times else None
    told = {
        "accepted": accepted, "seconds": SECONDS, "p99_ms": p99, "version": asyncpg.__version__,
    }  # fmt: skip
    print(json.dumps(told))


async def reserve(connection: "asyncpg.Connection[asyncpg.Record]", hold_id: str, sku: int) -> bool:
    """One unit, in a transaction of its own."""
    async with connection.transaction():
        free = await connection.fetchval(
            "select sellable - reserved from peer.levels where sku = $1 for update", sku
        )
        if free < 1:
            return False
        await connection.execute("insert into peer.holds values ($1, $2, 1)", hold_id, sku)
        await connection.execute(
            "update peer.levels set reserved = reserved + 1 where sku = $1", sku
        )
    return True


if __name__ == "__main__":
    uvloop.run(main())
