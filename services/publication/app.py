"""Composition root of publication: consumer, lanes, relay, HTTP."""

import random
import socket
import uuid

from services.publication import api, metrics
from services.publication.channels import Connector
from services.publication.channels.woocommerce import WooCommerce
from services.publication.engine import Engine, Lane, LaneOptions
from services.publication.engine.owning import Owning
from services.publication.handlers import PublicationHandler
from services.publication.repository.publishing import Publications
from services.publication.repository.store import Store
from services.publication.settings import PublicationSettings, WooCommerceShop
from shared.contracts.topics import AVAILABILITY, REFERENCE_DATA
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.postgres.connecting import Pool, open_pool
from shared.postgres.positions import Positions
from shared.runtime.clock import Clock, SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.runtime.waiting import wait_for_event

TOPICS = (AVAILABILITY.name, REFERENCE_DATA.name)


def connector_of(shop: WooCommerceShop) -> Connector:
    """The connector that speaks the shop's protocol."""
    return WooCommerce(
        url=shop.url, key=shop.key.get_secret_value(), secret=shop.secret.get_secret_value(),
        batch_max=shop.batch_max, calls_at_once=shop.calls_at_once,
        calls_per_second=shop.calls_per_second, timeout_seconds=shop.timeout_seconds,
    )  # fmt: skip


def call_id() -> uuid.UUID:
    """A fresh id of a call; it is the call's idempotency key."""
    return uuid.UUID(new_id())


def compose(
    pool: Pool,
    connectors: dict[str, Connector],
    clock: Clock,
    owner: str,
    options: LaneOptions,
) -> tuple[Store, Engine]:
    """The store and the engine over these connectors."""
    store = Store(pool, {name: c.descriptor.quantity_max for name, c in connectors.items()})
    lanes: dict[str, tuple[Lane, Owning]] = {}
    for name, connector in connectors.items():
        lane = Lane(name, connector, store, clock, random.Random(), call_id)  # noqa: S311  (jitter is no secret)
        lanes[name] = lane, Owning(lane, store, clock, owner, options)
    return store, Engine(lanes, store, clock, call_id)


async def build(process: Process) -> None:
    """Everything of this service in one process; more of them share channels and partitions."""
    stack, settings, clock = StackSettings(), PublicationSettings(), SystemClock()
    dsn, kafka = required(stack.postgres, "postgres"), required(stack.kafka, "kafka")
    pool = await open_pool(dsn, application="stocktide-publication", size_max=12, size_min=4)
    process.resources.push_async_callback(pool.close)
    producer = await open_producer(kafka)
    process.resources.push_async_callback(producer.stop)
    connectors = {name: connector_of(shop) for name, shop in settings.channels.items()}
    for connector in connectors.values():
        process.resources.push_async_callback(connector.close)
    owner = f"{socket.gethostname()}/{new_id()}"
    options = LaneOptions(
        lease_seconds=settings.lease_seconds, renew_seconds=settings.renew_seconds
    )
    store, engine = compose(pool, connectors, clock, owner, options)
    process.resources.push_async_callback(store.close)
    relay = Relay(Publications(pool, clock.now), producer, lambda: {0}, process.closing)
    handler = PublicationHandler(store, engine, clock, woken=relay.wake)
    consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="publication", topics=TOPICS,
            batch_max=lambda: settings.batch_max,
        ),
        handler,
        Positions(pool, schema="publication", owner=owner),
        clock,
        process.closing,
    )  # fmt: skip

    async def measure() -> None:
        while not await wait_for_event(process.closing, 1.0):
            metrics.LAG.set(sum(consuming.lag().values()))

    process.add("consume", consuming.run)
    process.add("publish", lambda: engine.run(process.closing))
    process.add("relay", relay.run)
    process.add("measure", measure)
    process.health.add("consumer", lambda: None if consuming.is_ready else "no partitions yet")
    process.health.add("partitions", lambda: "; ".join(consuming.stopped_partitions) or None)
    process.health.add("postgres", lambda: consuming.waiting_for)
    application = api.create(store, engine, clock, process.health)
    process.serve_http(application, host=stack.host, port=settings.port)


def main() -> int:
    """Run publication until a signal."""
    return run_process("publication", build, log_level=StackSettings().log_level)
