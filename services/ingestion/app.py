"""Composition root of ingestion: HTTP, the inbox's forwarder, the consumer of reference data."""

import socket

from services.ingestion import api, metrics
from services.ingestion.channels import Webhooks
from services.ingestion.channels.shopify import SHOPIFY
from services.ingestion.channels.woocommerce import WOOCOMMERCE
from services.ingestion.handlers.accepting import Accepting
from services.ingestion.handlers.folding import Folding
from services.ingestion.handlers.keeping import keep_house
from services.ingestion.handlers.receiving import Receiving, Subscription
from services.ingestion.handlers.referring import ReferenceHandler
from services.ingestion.handlers.sending import KafkaSending
from services.ingestion.repository.inbox import Inbox
from services.ingestion.repository.orders import OrderStates
from services.ingestion.settings import IngestionSettings, Shop
from shared.contracts.topics import ORDERS, REFERENCE_DATA
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.postgres.connecting import Pool, open_pool
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import SettingsError, StackSettings, required
from shared.runtime.waiting import wait_for_event

PROTOCOLS: dict[str, Webhooks] = {one.name: one for one in (WOOCOMMERCE, SHOPIFY)}
BATCH_MAX = 2_000
LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})


def subscription_of(shop: Shop) -> Subscription:
    """How a shop's deliveries are judged."""
    return Subscription(
        webhooks=PROTOCOLS[shop.kind],
        secrets=tuple(secret.get_secret_value().encode() for secret in shop.secrets),
    )


def require_key(host: str, api_key: object) -> None:
    """Who listens beyond this machine asks for a key. Raises SettingsError."""
    if api_key is None and host not in LOOPBACK:
        raise SettingsError(
            f"{IngestionSettings.variable('api_key')} is not set, and ingestion listens on {host}: "
            "whoever reaches it could post stock movements. Set a key, or listen on 127.0.0.1."
        )


async def build(process: Process) -> None:
    """Everything in one process; more of them share the work. Kafka may be away, also at start."""
    stack, settings = StackSettings(), IngestionSettings()
    dsn, kafka = required(stack.postgres, "postgres"), required(stack.kafka, "kafka")
    require_key(stack.host, settings.api_key)
    pool = await open_pool(dsn, application="stocktide-ingestion", size_max=10, size_min=2)
    process.resources.push_async_callback(pool.close)
    sending = KafkaSending(
        lambda: open_producer(kafka), process.closing, send_seconds=settings.send_seconds
    )
    process.resources.push_async_callback(sending.close)
    folding = _add_forwarder(process, settings, pool, sending)
    _add_consumer(process, kafka, pool, folding)
    customer_key, api_key = settings.customer_key, settings.api_key
    receiving = Receiving(
        Inbox(pool),
        {channel: subscription_of(shop) for channel, shop in settings.shops.items()},
        None if customer_key is None else customer_key.get_secret_value().encode(),
        woken=folding.wake,
    )
    application = api.create(
        Accepting(sending, SystemClock()), receiving, process.health,
        api.Limits(
            body_bytes_max=settings.body_bytes_max, webhook_bytes_max=settings.webhook_bytes_max,
            read_seconds=settings.read_seconds,
        ),
        api_key=None if api_key is None else api_key.get_secret_value().encode(),
    )  # fmt: skip
    process.serve_http(application, host=stack.host, port=settings.port)


def _add_forwarder(
    process: Process, settings: IngestionSettings, pool: Pool, sending: KafkaSending
) -> Folding:
    """From the inbox to orders, and from orders to Kafka whenever it is there."""
    clock, states = SystemClock(), OrderStates(pool)
    relays: list[Relay] = []

    def woken() -> None:
        for relay in relays:
            relay.wake()

    folding = Folding(
        pool, PROTOCOLS, clock, process.closing, sweep_seconds=settings.sweep_seconds, woken=woken
    )

    async def forward() -> None:
        producer = await sending.open()
        if producer is None:
            return
        partitions = range(ORDERS.partitions)
        relays.append(Relay(states, producer, lambda: partitions, process.closing))
        await relays[0].run()

    process.add("fold", folding.run)
    process.add("forward", forward)
    process.add(
        "keep",
        lambda: keep_house(Inbox(pool), states, clock, process.closing, settings.keep_hours),
    )
    return folding


def _add_consumer(process: Process, kafka: str, pool: Pool, folding: Folding) -> None:
    """Listings from reference-data-v1. Readiness does not ask for it: shops are answered without
    Kafka.
    """
    consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="ingestion", topics=(REFERENCE_DATA.name,),
            batch_max=lambda: BATCH_MAX,
        ),
        ReferenceHandler(pool, learned=folding.learned),
        Positions(pool, schema="ingestion", owner=f"{socket.gethostname()}/{new_id()}"),
        SystemClock(),
        process.closing,
    )  # fmt: skip

    async def measure() -> None:
        while not await wait_for_event(process.closing, 1.0):
            metrics.LAG.set(sum(consuming.lag().values()))

    process.add("consume", consuming.run)
    process.add("measure", measure)
    process.health.add("partitions", lambda: "; ".join(consuming.stopped_partitions) or None)
    process.health.add("postgres", lambda: consuming.waiting_for)


def main() -> int:
    """Run ingestion until a signal."""
    return run_process("ingestion", build, log_level=StackSettings().log_level)
