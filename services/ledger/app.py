"""Composition root of the ledger: the worker, and the api beside it."""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial

from aiokafka import AIOKafkaProducer
from prometheus_client import Gauge

from services.ledger import api, metrics
from services.ledger.domain.counting import Threshold
from services.ledger.handlers.batch import LedgerHandler, Reading
from services.ledger.handlers.costing import Costing
from services.ledger.handlers.expiring import Expiring
from services.ledger.handlers.falling_due import FallingDue
from services.ledger.handlers.hold_requests import HoldRequests
from services.ledger.handlers.holding import Holding
from services.ledger.handlers.listening import Listening
from services.ledger.handlers.maintaining import Maintaining
from services.ledger.handlers.releasing import Releasing
from services.ledger.handlers.republishing import Republishing
from services.ledger.handlers.shelving import Shelving
from services.ledger.handlers.silencing import Silencing
from services.ledger.handlers.timing import DatabaseClock
from services.ledger.repository import counting, overdue, supply, transit
from services.ledger.repository.measuring import oversold_units
from services.ledger.repository.observations import counter_of
from services.ledger.repository.parking import PARKING
from services.ledger.repository.publishing import LedgerStates, Remembered
from services.ledger.repository.silences import count_silences
from services.ledger.repository.sources import open_gaps, undeclared
from services.ledger.repository.suspensions import count_suspended
from services.ledger.settings import LedgerSettings
from shared.contracts.topics import (
    HOLD_REQUESTS,
    REFERENCE_DATA,
    REPUBLISHES,
    STOCK_COMMANDS,
    STOCK_MOVEMENTS,
)
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer, send_all
from shared.kafka.relaying import Relay
from shared.kafka.supplying import SupplyHandler, read_supply
from shared.kafka.watching import watch
from shared.postgres.connecting import (
    LastingConnection,
    Pool,
    open_pool,
)
from shared.postgres.measuring import Read, measure
from shared.postgres.positions import Positions
from shared.runtime.clock import Clock, SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.telemetry.metrics import OVERSOLD_UNITS, PARKED_MESSAGES

log = logging.getLogger(__name__)

# Two full batches behind, nobody waits for a single state: what is overtaken at once is spared.
GATHER_FROM_LAG = 20_000
GATHER_SECONDS = 2.0
CAUGHT_UP_LAG = 1_000  # so few messages are read in less than a second: nobody's word is far behind
COMPARE_SECONDS = 300.0
HOLDS_SECONDS = 0.05  # how soon the relay finds what the api has written
TOPICS = (
    STOCK_MOVEMENTS.name, STOCK_COMMANDS.name, REFERENCE_DATA.name, REPUBLISHES.name,
    HOLD_REQUESTS.name,
)  # fmt: skip


async def build_worker(process: Process) -> None:
    """Consumer, relay, releasing of waiting messages, months ahead, probes."""
    stack, settings, clock = StackSettings(), LedgerSettings(), SystemClock()
    dsn, kafka = required(stack.postgres, "postgres"), required(stack.kafka, "kafka")
    pool = await open_pool(dsn, application="stocktide-ledger", size_max=6)
    process.resources.push_async_callback(pool.close)
    connection = LastingConnection(dsn, application="stocktide-ledger-worker")
    process.resources.push_async_callback(connection.close)
    producer = await open_producer(kafka)
    process.resources.push_async_callback(producer.stop)
    states, remembered, consumed = LedgerStates(pool), Remembered(), asyncio.Event()
    held_by = _database_clock(process, pool, clock)
    holding = _holding(process, pool, held_by, settings, woken=lambda: relay.wake())
    telling = partial(send_all, producer)
    handler = LedgerHandler(
        connection, pool, clock, woken=lambda: relay.wake(), released=lambda: releasing.wake(),
        left=lambda rows, levels: relay.wake(is_remembered=remembered.remember(rows, levels)),
        hold_ahead=timedelta(hours=settings.hold_ahead_hours),
        asked=HoldRequests(holding, telling).answer,
    )  # fmt: skip
    releasing = Releasing(handler, pool, process.closing, sweep_seconds=settings.sweep_seconds)
    expiring = Expiring(pool, held_by, process.closing, woken=lambda: relay.wake())
    process.add("expire", expiring.run)
    reading = ConsumerOptions(
        servers=kafka, group="ledger", topics=TOPICS,
        batch_max=lambda: (
            settings.batch_max_with_holds if expiring.has_company() else settings.batch_max
        ),
    )  # fmt: skip
    positions = Positions(pool, schema="ledger", owner=f"{socket.gethostname()}/{new_id()}")
    consuming = Consuming(reading, handler, positions, clock, process.closing)
    own_partitions = partial(movement_partitions, consuming)
    relay = Relay(
        states, producer, own_partitions, consumed, remembering=remembered,
        poll_seconds=HOLDS_SECONDS,
        gather_seconds=lambda: gathering(sum(consuming.lag().values())),
    )  # fmt: skip

    process.add("consume", lambda: _consume(consuming, relay, consumed))
    process.add("release", releasing.run)
    _add_background(process, pool, handler, settings, is_first=lambda: 0 in own_partitions())
    republishing = Republishing(pool, telling, clock, process.closing, woken=relay.wake)
    process.add("republish", republishing.run)
    _add_telling(process, pool, producer, handler, consuming, settings)
    supplied = SupplyHandler(
        pool, supply.SUPPLY, PARKING, metrics.MESSAGES, service=metrics.SERVICE
    )
    read_supply(process, supplied, pool, kafka, clock)
    watch(process, consuming, metrics.SERVICE, oldest_seconds=states.oldest_seconds)
    process.serve_http(api.probes(process.health), host=stack.host, port=settings.worker_port)


async def _consume(consuming: Consuming[Reading], relay: Relay, consumed: asyncio.Event) -> None:
    """The relay ends after the consumer: it says what the last batch left."""
    relaying = asyncio.create_task(relay.run())
    try:
        await consuming.run()
    finally:
        consumed.set()
        await relaying


def _database_clock(process: Process, pool: Pool, clock: Clock) -> DatabaseClock:
    """The clock by which holds begin and end."""
    held_by = DatabaseClock(pool, clock, process.closing)
    process.add("clock", held_by.run)
    return held_by


def _holding(
    process: Process,
    pool: Pool,
    held_by: Clock,
    settings: LedgerSettings,
    *,
    woken: Callable[[], None],
) -> Holding:
    holding = Holding(
        pool, held_by, process.closing, woken=woken, ttl_seconds=settings.hold_seconds,
        overdue_after=settings.overdue_after,
    )  # fmt: skip
    process.add("hold", holding.run)
    return holding


def _add_background(
    process: Process,
    pool: Pool,
    handler: LedgerHandler,
    settings: LedgerSettings,
    *,
    is_first: Callable[[], bool],
) -> None:
    """What time alone brings: due lines, months, gauges."""
    maintaining = Maintaining(
        pool, SystemClock(), process.closing, months_ahead=settings.months_ahead,
        keep_months=settings.keep_months, keep_supply=2 * settings.supply_kept_for,
        closed=handler.learn_horizon,
    )  # fmt: skip
    gauges = (
        (PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count), (OVERSOLD_UNITS, oversold_units),
        (metrics.SUSPENDED_LEVELS, count_suspended),
        (metrics.TRANSFER_DISCREPANCIES,
         transit.counter_of(settings.transit_overdue_after, SystemClock().now)),
        *_gauges_of_sources(settings), *_gauges_of_holds(settings),
    )  # fmt: skip
    listening = Listening(handler, pool, process.closing, keep_days=settings.keep_observations_days)
    process.add("listen", listening.run)
    process.add("due", FallingDue(handler, process.closing).run)
    process.add("cost", Costing(pool, process.closing).run)
    process.add("maintain", maintaining.run)
    process.add("count", lambda: measure(pool, gauges, process.closing, is_first=is_first))
    now = SystemClock().now
    came = supply.counter_of(now, settings.supply_kept_for)
    late = counting.late_counter(now, timedelta(days=30))
    process.add(
        "compare",
        lambda: measure(
            pool, ((metrics.GOODS_IN_DEVIATIONS, came), (metrics.LATE_COUNTS, late)),
            process.closing, is_first=is_first, every_seconds=COMPARE_SECONDS,
        ),
    )  # fmt: skip


def _add_telling(
    process: Process,
    pool: Pool,
    producer: AIOKafkaProducer,
    handler: LedgerHandler,
    consuming: Consuming[Reading],
    settings: LedgerSettings,
) -> None:
    """What the ledger tells of itself: who says nothing, and what has expired. Kafka is asked
    whether it could be that nobody is heard.
    """
    telling = partial(send_all, producer)

    async def hears_all() -> bool:
        lags = list(consuming.lag().values())
        heard = is_caught_up(movement_partitions(consuming), lags)
        return heard and bool(await producer.client.force_metadata_update())

    silencing = Silencing(
        pool, telling, SystemClock(), process.closing, roles=handler.roles,
        hears_all=hears_all, stop_after=settings.silence_stop_after,
    )  # fmt: skip
    process.add("silence", silencing.run)
    shelving = Shelving(
        pool, telling, SystemClock(), process.closing,
        is_first=lambda: 0 in movement_partitions(consuming),
    )  # fmt: skip
    process.add("shelve", shelving.run)


def movement_partitions(consuming: Consuming[Reading]) -> set[int]:
    """Partitions of movements that this worker holds."""
    return {tp.partition for tp in consuming.assigned if tp.topic == STOCK_MOVEMENTS.name}


def _gauges_of_sources(settings: LedgerSettings) -> list[tuple[Gauge, Read]]:
    overdue_after = timedelta(hours=settings.unmatched_hours)
    return [
        (metrics.UNDECLARED_SOURCES, undeclared),
        (metrics.SILENCES, count_silences),
        (metrics.SEQUENCE_GAPS, lambda connection: open_gaps(connection, settings.gap_seconds)),
        *[
            (metrics.OBSERVATIONS.labels(state), counter_of(state, overdue_after))
            for state in ("waiting", "unmatched", "differing")
        ],
    ]


def _gauges_of_holds(settings: LedgerSettings) -> list[tuple[Gauge, Read]]:
    allowed, clock = settings.overdue_after, SystemClock()
    return [
        (metrics.OVERDUE_HOLDS.labels(kind), overdue.counter_of(kind, allowed, clock.now))
        for kind in allowed
    ]


def is_caught_up(own_partitions: set[int], lags: Sequence[int]) -> bool:
    """May this worker say who is silent? The first one may, when it has read what was said."""
    return 0 in own_partitions and bool(lags) and sum(lags) < CAUGHT_UP_LAG


def gathering(lag: int) -> float:
    """Seconds for which the relay lets states gather while the worker is `lag` messages behind."""
    return GATHER_SECONDS if lag > GATHER_FROM_LAG else 0.0


async def build_api(process: Process) -> None:
    """HTTP: levels, explain, parked messages and their replay."""
    stack, settings, clock = StackSettings(), LedgerSettings(), SystemClock()
    dsn = required(stack.postgres, "postgres")
    pool = await open_pool(dsn, application="stocktide-ledger-api", size_max=8)
    process.resources.push_async_callback(pool.close)
    connection = LastingConnection(dsn, application="stocktide-ledger-worker")
    process.resources.push_async_callback(connection.close)
    held_by = _database_clock(process, pool, clock)
    holding = _holding(process, pool, held_by, settings, woken=_nothing)
    handler = LedgerHandler(
        connection, pool, clock, woken=_nothing, released=_nothing, left=lambda *_: None,
        hold_ahead=timedelta(hours=settings.hold_ahead_hours),
        asked=HoldRequests(holding, _untold).answer,
    )  # fmt: skip
    application = api.create(
        pool, handler, LedgerStates(pool), holding, process.health,
        overdue_after=timedelta(hours=settings.unmatched_hours),
        recount=Threshold(settings.recount_units, settings.recount_value),
        transit_overdue_after=settings.transit_overdue_after,
        supply_kept_for=settings.supply_kept_for,
    )  # fmt: skip
    process.serve_http(application, host=stack.host, port=settings.api_port)


async def _untold(answers: Sequence[object]) -> None:
    """What is replayed by hand is done; who asked asks again, and is answered."""


def _nothing() -> None:
    """The relay lives in the worker, which polls for what this process leaves."""


def main_worker() -> int:
    """Run the worker until a signal."""
    return run_process("ledger-worker", build_worker, log_level=StackSettings().log_level)


def main_api() -> int:
    """Run the api until a signal."""
    return run_process("ledger-api", build_api, log_level=StackSettings().log_level)
