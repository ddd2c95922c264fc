"""Peer: a gate in Redis: one Lua call counts down and remembers the id.

    python holds_redis_gate.py CALLERS SECONDS

Prints a line of JSON. The address is read from STOCKTIDE_REDIS. In process, each caller one call
after the other on one connection of a pool. Nothing is durable: what is counted here is lost with
the server, and whoever sells must write it down elsewhere afterwards.
"""

import asyncio
import json
import os
import sys
import time
from collections.abc import AsyncIterator

import redis
import redis.asyncio
import uvloop

CALLERS, SECONDS = int(sys.argv[1]), float(sys.argv[2])
WARM_UP_SECONDS = 1.0
GATE = """
if redis.call('exists', KEYS[2]) == 1 then return 1 end
local free = tonumber(redis.call('get', KEYS[1]) or '0')
if free < tonumber(ARGV[1]) then return 0 end
redis.call('decrby', KEYS[1], ARGV[1])
redis.call('set', KEYS[2], ARGV[1], 'EX', 3600)
return 1
"""


async def main() -> None:
    """Callers ask one after the other until the time is up."""
    client = redis.asyncio.Redis.from_url(
        os.environ["STOCKTIDE_REDIS"], max_connections=CALLERS, single_connection_client=False
    )
    await client.set("peer:{gate}", 100_000_000)
    gate = client.register_script(GATE)
    start = time.perf_counter()
    counts_from, until = start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + SECONDS
    accepted, times = 0, []

    async def ask_on(caller: int) -> None:
        nonlocal accepted
        number = 0
        while (began := time.perf_counter()) < until:
            held = await gate(keys=["peer:{gate}", f"peer:{{gate}}:{caller}-{number}"], args=[1])
            ended, number = time.perf_counter(), number + 1
            if counts_from <= began and ended <= until:
                accepted += held
                times.append((ended - began) * 1e3)

    await asyncio.gather(*map(ask_on, range(CALLERS)))
    async for keys in _slices(client):
        await client.delete(*keys)
    await client.aclose()
    times.sort()
    p99 = times[max(0, -(-len(times) * 99 // 100) - 1)] if times else None
    told = {
        "accepted": accepted, "seconds": SECONDS, "p99_ms": p99, "version": redis.__version__,
    }  # fmt: skip
    print(json.dumps(told))


async def _slices(client: "redis.asyncio.Redis") -> AsyncIterator[list[bytes]]:
    found: list[bytes] = []
    async for key in client.scan_iter(match="peer:*", count=10_000):
        found.append(key)
        if len(found) == 1_000:
            yield found
            found = []
    if found:
        yield found


if __name__ == "__main__":
    uvloop.run(main())
