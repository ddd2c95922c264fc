"""Load over HTTP from a process of its own, with nothing but sockets:

    python -m benchmarks.reserving.load PORT RUN FIRST SKUS CONNECTIONS SECONDS [RATE]

Keep-alive connections that each ask for one unit after the other; with a RATE open loop: request i
is due at start + i / RATE, waits for a free connection, and its time counts from when it was due.
RUN makes the ids of this run its own; SKUS from the FIRST on are taken in turn. Prints an
`Outcome`.
"""

import asyncio
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

import uvloop

from benchmarks.reserving.outcome import Outcome, percentile
from benchmarks.reserving.stock import request_body, sku_of

Request = Callable[[int], bytes]

WARM_UP_SECONDS = 1.0
PATIENCE_SECONDS = 20.0


@dataclass(slots=True)
class Tally:
    """What came back; times in seconds, of answers that count."""

    counts_from: float
    accepted: int = 0
    refused: int = 0
    failed: int = 0
    ever_accepted: int = 0
    times: list[float] = field(default_factory=list)

    def add(self, status: int, began: float, ended: float, until: float) -> None:
        """One answer; one asked for in the warm-up, or that came too late, is in no figure."""
        self.ever_accepted += status == 201
        if status not in (201, 409):
            self.failed += 1
        elif began >= self.counts_from and ended <= until:
            self.accepted += status == 201
            self.refused += status == 409
            self.times.append(ended - began)


class Connection(asyncio.Protocol):
    """One keep-alive connection with at most one request on its way."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = b""
        self._answer: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, separator, body = self._buffer.partition(b"\r\n\r\n")
        if not separator:
            return
        length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        if len(body) >= length and self._answer is not None:
            self._buffer = b""
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, exc: Exception | None) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed under a request"))

    async def ask(self, request: bytes) -> int:
        """Send one request; the status of its answer."""
        assert self._transport is not None, "it is connected"
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Hang up."""
        if self._transport is not None:
            self._transport.close()


def http_request(port: int, body: bytes) -> bytes:
    """The request's bytes."""
    head = (
        f"POST /v1/holds HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(
    port: int,
    name: str,
    first: int,
    skus: int,
    connections: int,
    seconds: float,
    rate: float | None,
) -> Outcome:
    """The load, from the end of its warm-up."""
    loop = asyncio.get_running_loop()
    made = [await loop.create_connection(Connection, "127.0.0.1", port) for _ in range(connections)]
    opened = [connection for _, connection in made]
    start = time.perf_counter()
    tally, until = Tally(start + WARM_UP_SECONDS), start + WARM_UP_SECONDS + seconds

    def request(number: int) -> bytes:
        return http_request(port, request_body(f"{name}-{number}", sku_of(first + number % skus)))

    cpu = time.process_time()
    if rate is None:
        await _closed(opened, request, tally, until)
    else:
        await _open(opened, request, tally, start, until, rate)
    spent, took = time.process_time() - cpu, time.perf_counter() - start
    for connection in opened:
        connection.close()
    times = sorted(one * 1e3 for one in tally.times)
    return Outcome(
        accepted=tally.accepted, refused=tally.refused, failed=tally.failed, seconds=seconds,
        p50_ms=percentile(times, 50), p99_ms=percentile(times, 99), cpu_share=spent / took,
        ever_accepted=tally.ever_accepted,
    )  # fmt: skip


async def _closed(
    connections: Sequence[Connection], request: Request, tally: Tally, until: float
) -> None:
    numbers = iter(range(sys.maxsize))

    async def ask_on(connection: Connection) -> None:
        while (began := time.perf_counter()) < until:
            status = await connection.ask(request(next(numbers)))
            tally.add(status, began, time.perf_counter(), until)

    await asyncio.gather(*map(ask_on, connections))


async def _open(
    connections: Sequence[Connection], request: Request, tally: Tally, start: float, until: float,
    rate: float,
) -> None:  # fmt: skip
    idle: deque[Connection] = deque(connections)
    asked: set[asyncio.Task[None]] = set()
    freed = asyncio.Event()

    async def ask(connection: Connection, number: int, due: float) -> None:
        status = await connection.ask(request(number))
        tally.add(status, due, time.perf_counter(), math.inf)
        idle.append(connection)
        freed.set()

    number = 0
    while (due := start + number / rate) < until:
        if (wait := due - time.perf_counter()) > 0:
            await asyncio.sleep(wait)
        while not idle:
            freed.clear()
            await freed.wait()
        task = asyncio.create_task(ask(idle.popleft(), number, due))
        asked.add(task)
        task.add_done_callback(asked.discard)
        number += 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*asked)


if __name__ == "__main__":
    port, name, first, skus, connections, seconds, *rate = sys.argv[1:]
    outcome = uvloop.run(
        run(int(port), name, int(first), int(skus), int(connections), float(seconds),
            float(rate[0]) if rate else None)
    )  # fmt: skip
    print(outcome.line())
