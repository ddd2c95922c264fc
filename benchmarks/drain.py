"""P1: a published backlog, drained by two ledger workers and one availability worker, to Redis.

How the clock runs: the workers are started, know the reference data and own their partitions; then
both ledger workers are frozen (SIGSTOP) while the publisher sends the whole backlog, which it has
built before. The clock starts when they are let go and stops when it is seen that every position
is at the end of its log, nothing is unpublished in ledger and availability, and Redis holds the
version and the bytes of availability's Postgres for every SKU. So start-up is outside, and the
first fetch and decode are inside.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime

from benchmarks import invariants
from benchmarks.catalogue import CHANNEL, CHANNEL_BUFFER, LOCATION_BUFFER, reference_data
from benchmarks.children import Child, running, stocktide, watched
from benchmarks.invariants import Invariant
from benchmarks.machine import Machine
from benchmarks.peering import Measured
from benchmarks.progress import Progress, reached, until
from benchmarks.publishing import Publisher, Sent
from benchmarks.stack import publish_reference_data
from benchmarks.workload import Expected, Shape, location_name, sku_name
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.runtime.infrastructure import Addresses

REFERENCE_SECONDS_MAX = 120.0
DRAIN_SECONDS_MAX = 120.0
SLOWEST_EVENTS_PER_SECOND = 500
LEDGER_WORKERS = 2

FIRST_BATCH = "select extract(epoch from now() - min(recorded_at)) from ledger.movements"


@dataclass(frozen=True, slots=True, kw_only=True)
class Drained:
    """One run. Seconds: `seconds` from letting the workers go to the end; `since_first_batch` from
    the beginning of the first batch's transaction to the end; `ledger` until all is posted.
    """

    events: int
    distinct: int
    late: int
    seconds: float
    since_first_batch: float
    ledger_seconds: float
    publishing: Sent
    kept_partitions: bool
    invariants: tuple[Invariant, ...]

    @property
    def events_per_second(self) -> float:
        return self.events / self.seconds


async def drain(addresses: Addresses, shape: Shape, say: Callable[[str], None]) -> Drained:
    """Run P1 on a fresh stack.

    Raises ServiceError when a service ends, Overdue when the last event does not arrive,
    PublishingError.
    """
    services = [stocktide("ledger-worker", addresses, number=n + 1) for n in range(LEDGER_WORKERS)]
    services.append(stocktide("availability", addresses))
    await publish_reference_data(addresses.kafka, list(reference_data(shape)))
    with running(services) as children:
        async with Progress(addresses) as progress:
            await _until_settled(progress, children, say)
            publisher = Publisher(addresses.kafka, shape, datetime.now(UTC))
            try:
                say(f"building {shape.events:,} events")
                expected = publisher.build()
                timed = await _timed(progress, publisher, children, say)
            finally:
                publisher.close()
            found = await check(progress, expected)
    seconds, since_first, ledger_seconds, sent, kept = timed
    return Drained(
        events=expected.events, distinct=expected.distinct, late=expected.late, seconds=seconds,
        since_first_batch=since_first, ledger_seconds=ledger_seconds, publishing=sent,
        kept_partitions=kept, invariants=tuple(found),
    )  # fmt: skip


async def _until_settled(
    progress: Progress, children: Sequence[Child], say: Callable[[str], None]
) -> None:
    """The reference data is known, and both ledger workers own partitions of the movements."""
    say("services are ready; waiting for the reference data")
    alive = watched(children)
    await until(
        "the reference data", progress.knows_reference_data,
        seconds_max=REFERENCE_SECONDS_MAX, alive=alive, pause=0.2,
    )  # fmt: skip

    async def shared() -> bool:
        return await progress.owners("ledger", STOCK_MOVEMENTS) == LEDGER_WORKERS

    await until("two ledger workers", shared, seconds_max=60, alive=alive, pause=0.1)


async def _timed(
    progress: Progress, publisher: Publisher, children: Sequence[Child], say: Callable[[str], None]
) -> tuple[float, float, float, Sent, bool]:
    ledgers = [child for child in children if child.service.name.startswith("ledger-worker")]
    before = await progress.epochs("ledger", STOCK_MOVEMENTS)
    say("publishing the backlog")
    for child in ledgers:
        child.freeze()
    try:
        sent = publisher.send()
    finally:
        begun = time.perf_counter()
        for child in ledgers:
            child.thaw()
    ends = await progress.ends(STOCK_MOVEMENTS)
    events = sum(ends.values())
    say(f"{events:,} events published in {sent.seconds:.1f} s; draining")
    limit = DRAIN_SECONDS_MAX + events / SLOWEST_EVENTS_PER_SECOND
    alive = watched(children)

    async def posted() -> bool:
        return reached(await progress.positions("ledger", STOCK_MOVEMENTS), ends)

    async def drained() -> bool:
        return await progress.is_drained(ends)

    ledger = await until("the ledger's end", posted, seconds_max=limit, alive=alive)
    ended = await until("the end", drained, seconds_max=limit, alive=alive)
    since_first = float(await progress.postgres.fetchval(FIRST_BATCH))
    since_first -= time.perf_counter() - ended
    kept = await progress.epochs("ledger", STOCK_MOVEMENTS) == before
    return ended - begun, since_first, ledger - begun, sent, kept


async def check(progress: Progress, expected: Expected) -> list[Invariant]:
    """Every invariant that this run can judge, with our own SQL and our own model."""
    postgres = progress.postgres
    model = {
        (sku_name(sku), location_name(place)): quantity
        for (sku, place), quantity in expected.sellable.items()
        if quantity
    }
    sellable = await invariants.sellable_of(postgres)
    view = await invariants.view_of(postgres)
    shown = invariants.shown_in(view, CHANNEL)
    offered = dict.fromkeys(shown, 0) | invariants.offered(
        sellable, location_buffer=LOCATION_BUFFER, channel_buffer=CHANNEL_BUFFER
    )
    cached = await invariants.in_redis(progress.redis, await progress.prefix(), list(view))
    return [
        await invariants.levels_are_their_movements(postgres),
        await invariants.accounts_sum_to_zero(postgres),
        await invariants.posted_once(postgres, expected.distinct),
        invariants.compared("levels = an independent fold of the events", model, sellable),
        await invariants.nothing_left(postgres, "parked"),
        await invariants.nothing_left(postgres, "unpublished"),
        invariants.compared("view = the formula over the levels", offered, shown),
        invariants.compared("Redis = Postgres' view", view, cached),
    ]


def report(drained: Drained, peers: Sequence[Measured], machine: Machine) -> dict[str, object]:
    """The report's JSON."""
    return {
        "benchmark": "drain",
        "ours_events_per_second": round(drained.events_per_second, 1),
        "peers": {one.peer.name: one.events_per_second for one in peers},
        "peers_detail": {
            one.peer.name: {
                "events": one.events, "seconds": one.seconds, "version": one.version,
                "reason": one.reason or None, "does_less": one.peer.does_less,
            }
            for one in peers
        },
        "invariants": [one.as_json() for one in drained.invariants],
        "invariants_hold": all(one.holds for one in drained.invariants),
        "run": {
            "events": drained.events, "distinct": drained.distinct, "late": drained.late,
            "seconds": drained.seconds, "ledger_seconds": drained.ledger_seconds,
            "since_first_batch_seconds": drained.since_first_batch,
            "since_first_batch_events_per_second": drained.events / drained.since_first_batch,
            "publishing": asdict(drained.publishing), "kept_partitions": drained.kept_partitions,
        },
        "machine": machine.as_json(),
    }  # fmt: skip
