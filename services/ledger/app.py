"""Composition root of the ledger: the worker, and the api beside it."""

import asyncio
import logging
import socket
from contextlib import suppress
from datetime import UTC

from services.ledger import api, metrics
from services.ledger.handlers.batch import LedgerHandler, Reading
from services.ledger.handlers.releasing import Releasing
from services.ledger.repository import maintenance
from services.ledger.repository.publishing import LedgerStates
from services.ledger.settings import LedgerSettings
from shared.contracts.topics import REFERENCE_DATA, STOCK_COMMANDS, STOCK_MOVEMENTS
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.postgres.connecting import (
    TRANSIENT,
    LastingConnection,
    Pool,
    open_pool,
)
from shared.postgres.positions import Positions
from shared.runtime.clock import Clock, SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.runtime.waiting import wait_for_event

log = logging.getLogger(__name__)

# Two full batches behind, nobody waits for a single state: what is overtaken at once is spared.
GATHER_FROM_LAG = 20_000
GATHER_SECONDS = 2.0
TOPICS = (STOCK_MOVEMENTS.name, STOCK_COMMANDS.name, REFERENCE_DATA.name)


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
    states, consumed = LedgerStates(pool), asyncio.Event()
    handler = LedgerHandler(
        connection, pool, clock, woken=lambda: relay.wake(), released=lambda: releasing.wake()
    )
    releasing = Releasing(handler, pool, process.closing, sweep_seconds=settings.sweep_seconds)
    consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="ledger", topics=TOPICS, batch_max=lambda: settings.batch_max
        ),
        handler,
        Positions(pool, schema="ledger", owner=f"{socket.gethostname()}/{new_id()}"),
        clock,
        process.closing,
    )

    def own_partitions() -> set[int]:
        return {tp.partition for tp in consuming.assigned if tp.topic == STOCK_MOVEMENTS.name}

    def gather() -> float:
        return gathering(sum(consuming.lag().values()))

    relay = Relay(states, producer, own_partitions, consumed, gather_seconds=gather)

    async def consume() -> None:
        """The relay ends after the consumer: it says what the last batch left."""
        relaying = asyncio.create_task(relay.run())
        try:
            await consuming.run()
        finally:
            consumed.set()
            await relaying

    process.add("consume", consume)
    process.add("release", releasing.run)
    process.add("maintain", lambda: _maintain(process.closing, pool, clock, settings))
    process.add("measure", lambda: _measure(process.closing, consuming, states))
    process.health.add("consumer", lambda: None if consuming.is_ready else "no partitions yet")
    process.health.add("partitions", lambda: "; ".join(consuming.stopped_partitions) or None)
    process.health.add("postgres", lambda: consuming.waiting_for)
    process.serve_http(api.probes(process.health), host=stack.host, port=settings.worker_port)


def gathering(lag: int) -> float:
    """Seconds for which the relay lets states gather while the worker is `lag` messages behind."""
    return GATHER_SECONDS if lag > GATHER_FROM_LAG else 0.0


async def _maintain(
    closing: asyncio.Event, pool: Pool, clock: Clock, settings: LedgerSettings
) -> None:
    while not closing.is_set():
        pause = 3_600.0
        try:
            async with pool.acquire(timeout=5) as borrowed:
                await maintenance.make_months(
                    borrowed, clock.now().astimezone(UTC).date(), settings.months_ahead
                )
        except TRANSIENT as error:  # the catch-all partition takes what comes meanwhile
            log.warning("months not made yet", extra={"action": "retry", "reason": repr(error)})
            pause = 10.0
        await wait_for_event(closing, pause)


async def _measure(
    closing: asyncio.Event, consuming: Consuming[Reading], states: LedgerStates
) -> None:
    while not await wait_for_event(closing, 1.0):
        metrics.LAG.labels("ledger").set(sum(consuming.lag().values()))
        with suppress(*TRANSIENT):
            metrics.OLDEST_UNPUBLISHED.labels("ledger").set(await states.oldest_seconds())


async def build_api(process: Process) -> None:
    """HTTP: levels, explain, parked messages and their replay."""
    stack, settings, clock = StackSettings(), LedgerSettings(), SystemClock()
    dsn = required(stack.postgres, "postgres")
    pool = await open_pool(dsn, application="stocktide-ledger-api", size_max=8)
    process.resources.push_async_callback(pool.close)
    connection = LastingConnection(dsn, application="stocktide-ledger-worker")
    process.resources.push_async_callback(connection.close)
    handler = LedgerHandler(connection, pool, clock, woken=_nothing, released=_nothing)
    application = api.create(pool, handler, LedgerStates(pool), process.health)
    process.serve_http(application, host=stack.host, port=settings.api_port)


def _nothing() -> None:
    """The relay lives in the worker, which polls for what this process leaves."""


def main_worker() -> int:
    """Run the worker until a signal."""
    return run_process("ledger-worker", build_worker, log_level=StackSettings().log_level)


def main_api() -> int:
    """Run the api until a signal."""
    return run_process("ledger-api", build_api, log_level=StackSettings().log_level)
