"""Composition root of orders: consumer, relay, deciding again, HTTP."""

import asyncio
import logging
import socket
from contextlib import suppress
from functools import partial

from services.orders import api, metrics
from services.orders.domain.sourcing import PoolOrder
from services.orders.domain.wishing import Waits
from services.orders.handlers.batch import OrdersHandler
from services.orders.handlers.reading import READ, Reading
from services.orders.handlers.redeciding import Redeciding
from services.orders.repository.parking import PARKING
from services.orders.repository.publishing import OrdersStates
from services.orders.settings import OrdersSettings
from shared.contracts.topics import ORDERS
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.kafka.watching import watch
from shared.postgres.connecting import TRANSIENT, LastingConnection, open_pool
from shared.postgres.measuring import measure
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.runtime.waiting import wait_for_event
from shared.telemetry.metrics import PARKED_MESSAGES

log = logging.getLogger(__name__)

GAUGES = ((PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count),)


async def build(process: Process) -> None:
    """Consumer, relay, deciding again, probes and HTTP."""
    stack, settings, clock, sourcing = (
        StackSettings(), OrdersSettings(), SystemClock(), PoolOrder(),
    )  # fmt: skip
    dsn, kafka = required(stack.postgres, "postgres"), required(stack.kafka, "kafka")
    pool = await open_pool(dsn, application="stocktide-orders", size_max=6)
    process.resources.push_async_callback(pool.close)
    connection = LastingConnection(dsn, application="stocktide-orders-worker")
    process.resources.push_async_callback(connection.close)
    producer = await open_producer(kafka)
    process.resources.push_async_callback(producer.stop)
    states, relay_closing = OrdersStates(pool), asyncio.Event()

    def own_partitions() -> set[int]:
        return {tp.partition for tp in consuming.assigned if tp.topic == ORDERS.name}

    relay = Relay(states, producer, own_partitions, relay_closing)
    redeciding = Redeciding(pool, sourcing, clock, process.closing, woken=relay.wake)
    handler = OrdersHandler(
        connection, sourcing, clock, woken=relay.wake, undecided=redeciding.wake
    )
    consuming: Consuming[Reading] = Consuming(
        ConsumerOptions(
            servers=kafka, group="orders", topics=tuple(topic.name for topic in READ),
            batch_max=lambda: settings.batch_max,
        ),
        handler,
        Positions(pool, schema="orders", owner=f"{socket.gethostname()}/{new_id()}"),
        clock,
        process.closing,
    )  # fmt: skip

    async def consume() -> None:
        relaying = asyncio.create_task(relay.run())
        try:
            await consuming.run()
        finally:
            relay_closing.set()
            await relaying

    process.add("consume", consume)
    process.add("redecide", redeciding.run)
    counting = partial(measure, pool, GAUGES, process.closing)
    process.add("count", lambda: counting(is_first=lambda: 0 in own_partitions()))
    process.add("count_states", lambda: _count(process, relay, states))
    watch(process, consuming, metrics.SERVICE, oldest_seconds=states.oldest_seconds)
    application = api.create(pool, lambda ids: handler.replay(pool, ids), process.health)
    process.serve_http(application, host=stack.host, port=settings.port)


async def _count(process: Process, relay: Relay, states: OrdersStates) -> None:
    """Gauges, once a second; they stand while Postgres is away, and the probe says that it is."""
    while not await wait_for_event(process.closing, 1.0):
        metrics.PUBLISHED.set(relay.published)
        with suppress(*TRANSIENT):
            waiting = await states.waiting()
            for reason in Waits:
                metrics.WAITING.labels(reason).set(waiting.get(reason, 0))


def main() -> int:
    """Run until a signal."""
    return run_process("orders", build, log_level=StackSettings().log_level)
