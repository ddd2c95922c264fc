"""Composition root of availability: the worker, the api, or both in one process."""

import asyncio
import gc
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

from services.availability import api, metrics
from services.availability.handlers.answering import Answers
from services.availability.handlers.batch import AvailabilityHandler
from services.availability.handlers.filling import Filling
from services.availability.handlers.freshness import Freshness
from services.availability.handlers.keeping import keep_house
from services.availability.handlers.listening import Listening, TopicEnds
from services.availability.handlers.mirroring import Mirror
from services.availability.handlers.planning import PlanCache
from services.availability.handlers.reading import Reading
from services.availability.handlers.recomputing import Recomputing
from services.availability.handlers.remembering import RowMemory
from services.availability.handlers.streaming import Stream
from services.availability.repository.parking import PARKING
from services.availability.repository.progress import ProgressRows
from services.availability.repository.publishing import DirtyStates
from services.availability.repository.stock import Note
from services.availability.repository.supply import SUPPLY
from services.availability.settings import AvailabilitySettings, Role
from shared.cache.connecting import open_redis
from shared.cache.generations import GenerationMark
from shared.cache.reading import ViewReader
from shared.cache.versioned import VersionedStrings
from shared.contracts.topics import (
    ALLOCATIONS,
    AVAILABILITY,
    REFERENCE_DATA,
    REPUBLISHES,
    STOCK_LEVELS,
)
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer, send_all
from shared.kafka.relaying import Relay
from shared.kafka.supplying import SupplyHandler, read_supply
from shared.kafka.watching import watch
from shared.postgres.connecting import (
    Connection,
    LastingConnection,
    Pool,
    open_pool,
)
from shared.postgres.measuring import measure
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.telemetry.metrics import PARKED_MESSAGES

READ = (STOCK_LEVELS, REFERENCE_DATA, ALLOCATIONS, REPUBLISHES)
VIEW_PREFIX = "ats:"
MARK_NAME = "ats-mark"


async def build(process: Process) -> None:
    """What the role asks for: worker, api, or both."""
    stack, settings = StackSettings(), AvailabilitySettings()
    dsn = required(stack.postgres, "postgres")
    pool = await open_pool(dsn, application="stocktide-availability", size_max=10)
    process.resources.push_async_callback(pool.close)
    if settings.role is not Role.API:
        await _add_worker(process, stack, settings, pool)
    if settings.role is Role.WORKER:
        application = api.probes(process.health)
    else:
        application = await _add_api(process, stack, settings, pool)
    process.serve_http(application, host=stack.host, port=settings.port)
    # A batch makes and drops hundreds of thousands of small tuples without a cycle among them:
    # looking for cycles at every 700 of them took a fifth of the worker's time.
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


@dataclass(slots=True, kw_only=True)
class _Worker:
    """The worker's parts, each made from those before it."""

    settings: AvailabilitySettings
    pool: Pool
    closing: asyncio.Event
    finished: asyncio.Event = field(default_factory=asyncio.Event)
    topic: DirtyStates = field(init=False)
    view: DirtyStates = field(init=False)
    relay: Relay = field(init=False)
    mirror: Mirror = field(init=False)
    freshness: Freshness = field(init=False)
    recomputing: Recomputing = field(init=False)
    consuming: Consuming[Reading] = field(init=False)

    def committed(self, notes: Sequence[Note]) -> None:
        """What a transaction has left to tell goes out at once, from memory."""
        for note in notes:
            (self.topic if note.kind == "topic" else self.view).remember(note)
        self.relay.wake(is_remembered=True)
        self.mirror.wake()

    def held(self) -> set[int]:
        """The partitions whose SKUs this worker tells of."""
        assigned = self.consuming.assigned
        return {tp.partition for tp in assigned if tp.topic == STOCK_LEVELS.name}

    def complete(self) -> set[int]:
        """The same, once everything was read: half a pool is nobody's business."""
        return set() if self.freshness.is_building else self.held()

    async def consume(self) -> None:
        """Read until told to close; relay and mirror then tell what the last batch left."""
        try:
            await self.consuming.run()
        finally:
            self.finished.set()

    async def oldest_seconds(self) -> float:
        """Age of the oldest state that topic or view has not been told yet."""
        return max((await self.topic.oldest_seconds()).values(), default=0.0)


async def _add_worker(
    process: Process, stack: StackSettings, settings: AvailabilitySettings, pool: Pool
) -> None:
    kafka, clock, plans = required(stack.kafka, "kafka"), SystemClock(), PlanCache()
    connection = LastingConnection(
        required(stack.postgres, "postgres"), application="stocktide-availability-worker"
    )
    process.resources.push_async_callback(connection.close)
    producer = await open_producer(kafka)
    process.resources.push_async_callback(producer.stop)
    ends = TopicEnds(kafka, READ)
    process.resources.push_async_callback(ends.close)
    progress = ProgressRows(pool)
    worker = _Worker(settings=settings, pool=pool, closing=process.closing)
    worker.topic, worker.view = (
        DirtyStates(pool, kind="topic"),
        DirtyStates(pool, kind="view"),
    )
    filling = Filling(progress, lambda messages: send_all(producer, messages), clock, new_id)
    worker.freshness = Freshness(ends, progress, clock, process.closing, filling=filling)
    worker.recomputing = Recomputing(pool, plans, process.closing, committed=worker.committed)
    worker.relay = Relay(
        worker.topic, producer, worker.complete, worker.finished, remembering=worker.topic
    )
    worker.mirror = Mirror(
        worker.view, progress, worker.held, clock, worker.finished,
        restored=lambda: worker.recomputing.force_sweep("another Postgres"),
    )  # fmt: skip
    redis = open_redis(required(stack.redis, "redis"), on_server=worker.mirror.on_server)
    process.resources.push_async_callback(redis.aclose)
    worker.mirror.attach(
        VersionedStrings(redis, prefix=VIEW_PREFIX, keys_per_call=settings.keys_per_call),
        GenerationMark(redis, name=MARK_NAME),
    )
    worker.consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="availability", topics=tuple(topic.name for topic in READ),
            batch_max=lambda: settings.batch_max,
        ),
        AvailabilityHandler(
            connection, plans, RowMemory(clock), committed=worker.committed
        ),
        Positions(pool, schema="availability", owner=f"{socket.gethostname()}/{new_id()}"),
        clock,
        process.closing,
    )  # fmt: skip
    _run(process, worker)
    supplied = SupplyHandler(pool, SUPPLY, PARKING, metrics.MESSAGES, service=metrics.SERVICE)
    read_supply(process, supplied, pool, kafka, clock)


def _run(process: Process, worker: _Worker) -> None:
    process.add("consume", worker.consume)
    process.add("relay", worker.relay.run)
    process.add("mirror", worker.mirror.run)
    process.add("recompute", worker.recomputing.run)
    process.add("freshness", worker.freshness.run)
    gauges = ((PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count),)
    process.add(
        "count",
        lambda: measure(worker.pool, gauges, worker.closing, is_first=lambda: 0 in worker.held()),
    )
    process.add("keep", lambda: keep_house(worker.pool, SystemClock(), worker.closing))
    watch(process, worker.consuming, metrics.SERVICE, oldest_seconds=worker.oldest_seconds)
    process.health.add("view", lambda: "building" if worker.freshness.is_building else None)


async def _add_api(
    process: Process, stack: StackSettings, settings: AvailabilitySettings, pool: Pool
) -> api.Application:
    clock, closing, reader = SystemClock(), process.closing, ViewReader()
    redis = open_redis(required(stack.redis, "redis"), on_server=reader.on_server)
    process.resources.push_async_callback(redis.aclose)
    reader.attach(
        VersionedStrings(redis, prefix=VIEW_PREFIX, keys_per_call=settings.keys_per_call),
        GenerationMark(redis, name=MARK_NAME),
    )
    answers = Answers(reader, pool, ProgressRows(pool), clock, closing)
    stream = Stream(keys_max=settings.stream_keys_max, epoch=new_id()[:8])
    listening = Listening(required(stack.kafka, "kafka"), AVAILABILITY, stream, clock, closing)
    process.add("answers", answers.run)
    process.add("listen", listening.run)
    process.health.add("answers", answers.problem)
    handler = AvailabilityHandler(
        _no_connection, PlanCache(), RowMemory(clock), committed=_left_to_polling
    )
    return api.create(
        answers, stream, pool, process.health, closing, replay=lambda ids: handler.replay(pool, ids)
    )


async def _no_connection() -> Connection:
    raise AssertionError("the api reads no batches")


def _left_to_polling(_: Sequence[Note]) -> None:
    """Relay and mirror live in the worker, which polls for what this process leaves."""


def main() -> int:
    """Run the service until a signal."""
    return run_process("availability", build, log_level=StackSettings().log_level)
