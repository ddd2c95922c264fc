"""The ledger's holds in process, many callers on one SKU:

    python -m benchmarks.reserving.inside RUN SKU CALLERS SECONDS

What `ledger-api` runs behind its HTTP, with a pool like its own, called as a function. The DSN is
read from STOCKTIDE_POSTGRES. Prints an `Outcome`.
"""

import asyncio
import os
import sys
import time

import uvloop

from benchmarks.reserving.outcome import Outcome, percentile
from benchmarks.reserving.stock import request_body, sku_of
from services.ledger.handlers.holding import Holding
from services.ledger.handlers.reserving import Conflict
from services.ledger.handlers.timing import DatabaseClock
from shared.contracts.holds import HoldRequest, HoldState
from shared.postgres.connecting import open_pool
from shared.runtime.clock import SystemClock

WARM_UP_SECONDS = 1.0


async def run(name: str, sku: str, callers: int, seconds: float) -> Outcome:
    """Each caller asks for one unit after the other."""
    dsn, closing = os.environ["STOCKTIDE_POSTGRES"], asyncio.Event()
    pool = await open_pool(dsn, application="stocktide-ledger-api", size_max=8)
    clock = DatabaseClock(pool, SystemClock(), closing)
    holding = Holding(pool, clock, closing, woken=lambda: None, overdue_after={}, ttl_seconds=900.0)
    tasks = [asyncio.create_task(work()) for work in (clock.run, holding.run)]
    start = time.perf_counter()
    counts_from, until = start + WARM_UP_SECONDS, start + WARM_UP_SECONDS + seconds
    request = HoldRequest.model_validate_json(request_body(name, sku))
    accepted = refused = ever = 0
    times: list[float] = []

    async def ask_on(caller: int) -> None:
        nonlocal accepted, refused, ever
        number = 0
        while (began := time.perf_counter()) < until:
            told = await holding.reserve(f"{name}-{caller}-{number}", request)
            ended, number = time.perf_counter(), number + 1
            assert not isinstance(told, Conflict), "every id is new"
            is_held = told.state is HoldState.HELD
            ever += is_held
            if counts_from <= began and ended <= until:
                accepted, refused = accepted + is_held, refused + (not is_held)
                times.append((ended - began) * 1e3)

    cpu = time.process_time()
    await asyncio.gather(*map(ask_on, range(callers)))
    share = (time.process_time() - cpu) / (time.perf_counter() - start)
    closing.set()
    await asyncio.gather(*tasks)
    await pool.close()
    times.sort()
    return Outcome(
        accepted=accepted, refused=refused, seconds=seconds, cpu_share=share,
        p50_ms=percentile(times, 50), p99_ms=percentile(times, 99), ever_accepted=ever,
    )  # fmt: skip


if __name__ == "__main__":
    run_name, number, callers, seconds = sys.argv[1:5]
    print(uvloop.run(run(run_name, sku_of(int(number)), int(callers), float(seconds))).line())
