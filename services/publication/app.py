"""Composition root of publication: consumer, lanes, relay, HTTP."""

import random
import socket
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any

from services.publication import api, metrics
from services.publication.channels import Connector
from services.publication.channels.mirakl import Mirakl, Pace
from services.publication.channels.shopify import Shopify
from services.publication.channels.woocommerce import WooCommerce
from services.publication.domain.holding_back import HoldBack
from services.publication.engine import Engine, Lane, LaneOptions
from services.publication.engine.owning import Owning
from services.publication.handlers import HearingHandler, PublicationHandler, Replaying
from services.publication.handlers.keeping import keep_house
from services.publication.repository.hearing import Counting
from services.publication.repository.measuring import listings_by_state
from services.publication.repository.parking import PARKING
from services.publication.repository.publishing import Publications
from services.publication.repository.store import Store
from services.publication.settings import (
    LAG_SECONDS_MAX,
    MiraklShop,
    PublicationSettings,
    Shop,
    ShopifyShop,
)
from shared.contracts.topics import ALLOCATIONS, AVAILABILITY, ORDERS, REFERENCE_DATA
from shared.http.parked import parked_router
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.kafka.watching import watch
from shared.postgres.connecting import Pool, open_pool
from shared.postgres.measuring import measure, measure_by_labels
from shared.postgres.positions import Positions
from shared.runtime.clock import Clock, SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import StackSettings, required
from shared.telemetry.metrics import PARKED_MESSAGES

TOPICS = (AVAILABILITY.name, REFERENCE_DATA.name)
HEARD = (ORDERS.name, ALLOCATIONS.name)
PATIENCE_SECONDS = 0.5  # from an order's moment of counting until its lane has looked again
REPORT_SECONDS = 0.25
DAY_SECONDS = 86_400.0
GAUGES = ((PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count),)


def connector_of(shop: Shop) -> Connector:
    """The connector that speaks the shop's protocol."""
    if isinstance(shop, ShopifyShop):
        return Shopify(
            url=shop.url, access_token=shop.access_token.get_secret_value(),
            location_id=shop.location_id, api_version=shop.api_version,
            token_header=shop.token_header, batch_max=shop.batch_max,
            calls_at_once=shop.calls_at_once, timeout_seconds=shop.timeout_seconds,
        )  # fmt: skip
    if isinstance(shop, MiraklShop):
        pace = Pace(
            import_seconds=shop.import_seconds, status_seconds=shop.status_seconds,
            report_seconds=shop.report_seconds, patience_seconds=shop.patience_seconds,
        )  # fmt: skip
        return Mirakl(
            url=shop.url, api_key=shop.api_key.get_secret_value(), shop_id=shop.shop_id,
            warehouse_code=shop.warehouse_code, batch_max=shop.batch_max, pace=pace,
            timeout_seconds=shop.timeout_seconds,
        )  # fmt: skip
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
    holds: Mapping[str, HoldBack | None],
) -> tuple[Store, Engine]:
    """The store and the engine over these connectors, each with what is held back there."""
    store = Store(pool, {name: c.descriptor.quantity_max for name, c in connectors.items()})
    lanes: dict[str, tuple[Lane, Owning]] = {}
    for name, connector in connectors.items():
        rng = random.Random()  # noqa: S311  (jitter is no secret)
        patience = options.heard_after_seconds + PATIENCE_SECONDS
        lane = Lane(name, connector, store, clock, rng, call_id, patience, holds[name])
        own = options.outliving(connector.descriptor.call_seconds_max)
        lanes[name] = lane, Owning(lane, store, clock, owner, own)
    counting = Counting(
        memory_seconds=options.demand_seconds, lag_seconds_max=LAG_SECONDS_MAX,
        keep_seconds=options.keep_seconds,
    )  # fmt: skip
    engine = Engine(lanes, store, clock, call_id, options.unheard_seconds_max, counting)
    return store, engine


def hold_of(shop: Shop, demand_seconds: float) -> HoldBack | None:
    """What is held back in a shop; None where it compares, or where its settings say so."""
    if isinstance(shop, ShopifyShop) or not shop.hold_back:
        return None
    return HoldBack(
        probability=shop.hold_back, lag_seconds=shop.lag_seconds,
        lag_seconds_max=LAG_SECONDS_MAX, memory_seconds=demand_seconds,
    )  # fmt: skip


def options_of(settings: PublicationSettings) -> LaneOptions:
    """What holds for every lane alike."""
    return LaneOptions(
        lease_seconds=settings.lease_seconds, renew_seconds=settings.renew_seconds,
        heard_after_seconds=settings.heard_after_seconds,
        unheard_seconds_max=settings.unheard_seconds_max, demand_seconds=settings.demand_seconds,
        keep_seconds=settings.keep_days * DAY_SECONDS,
    )  # fmt: skip


def hear_orders(
    process: Process, kafka: str, store: Store, positions: Positions, clock: Clock,
    options: LaneOptions,
) -> None:  # fmt: skip
    """A consumer of its own: a wave of orders never stands before a figure."""
    hearing = Consuming(
        ConsumerOptions(
            servers=kafka, group="publication-orders", topics=HEARD, batch_max=lambda: 500
        ),
        HearingHandler(store, options.heard_after_seconds),
        positions,
        clock,
        process.closing,
    )
    process.add("hear", hearing.run)
    process.health.add("orders", lambda: None if hearing.is_ready else "no partitions yet")


def reads_first(consuming: Consuming[Any]) -> bool:
    """This worker holds partition 0 of the figures: one of all does."""
    return any((tp.topic, tp.partition) == (AVAILABILITY.name, 0) for tp in consuming.assigned)


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
    options = options_of(settings)
    holds = {n: hold_of(shop, settings.demand_seconds) for n, shop in settings.channels.items()}
    store, engine = compose(pool, connectors, clock, owner, options, holds)
    process.resources.push_async_callback(store.close)
    # Nobody waits for the report of a call as one waits for a figure: reports go in larger flights.
    relay = Relay(
        Publications(pool, clock.now), producer, lambda: {0}, process.closing,
        gather_seconds=lambda: REPORT_SECONDS,
    )  # fmt: skip
    handler = PublicationHandler(store, engine, clock, woken=relay.wake)
    positions = Positions(pool, schema="publication", owner=owner)
    if connectors:
        hear_orders(process, kafka, store, positions, clock, options)
    consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="publication", topics=TOPICS,
            batch_max=lambda: settings.batch_max,
        ),
        handler,
        positions,
        clock,
        process.closing,
    )  # fmt: skip

    process.add("consume", consuming.run)
    process.add("publish", lambda: engine.run(process.closing))
    process.add("relay", relay.run)
    keep = timedelta(days=settings.keep_days)
    process.add("keep_house", lambda: keep_house(pool, clock, keep, process.closing))
    watch(process, consuming, metrics.SERVICE)
    counting = partial(measure, pool, GAUGES, process.closing)
    process.add("count", lambda: counting(is_first=lambda: reads_first(consuming)))
    shelves = partial(measure_by_labels, pool, metrics.LISTINGS, listings_by_state, process.closing)
    process.add("count_listings", lambda: shelves(is_first=lambda: reads_first(consuming)))
    replaying = Replaying(store, engine, clock, options.heard_after_seconds)
    parked = parked_router(pool, PARKING, lambda ids: replaying.replay(pool, ids))
    application = api.create(store, engine, clock, process.health, parked)
    process.serve_http(application, host=stack.host, port=settings.port)


def main() -> int:
    """Run publication until a signal."""
    return run_process("publication", build, log_level=StackSettings().log_level)
