"""Composition root of ingestion: HTTP, the inbox's forwarder, the consumer of reference data."""

import socket

from fastapi import Depends
from pydantic import SecretStr

from services.ingestion import api, metrics
from services.ingestion.channels import Polled, Reads, Webhooks
from services.ingestion.channels.mirakl import MIRAKL
from services.ingestion.channels.mirakl_seller import MiraklSeller
from services.ingestion.channels.shopify import SHOPIFY
from services.ingestion.channels.woocommerce import WOOCOMMERCE
from services.ingestion.handlers.accepting import Accepting
from services.ingestion.handlers.folding import Folding
from services.ingestion.handlers.keeping import keep_house
from services.ingestion.handlers.polling import Polling, PollOptions
from services.ingestion.handlers.receiving import Receiving, Subscription
from services.ingestion.handlers.referring import ReferenceHandler
from services.ingestion.handlers.sending import KafkaSending
from services.ingestion.repository.inbox import Inbox
from services.ingestion.repository.orders import OrderStates
from services.ingestion.repository.parking import PARKING
from services.ingestion.repository.polls import Polls
from services.ingestion.settings import IngestionSettings, Marketplace, Shop
from shared.contracts.topics import ORDERS, REFERENCE_DATA
from shared.http.parked import parked_router
from shared.kafka.consuming import Consuming
from shared.kafka.handling import ConsumerOptions
from shared.kafka.producing import open_producer
from shared.kafka.relaying import Relay
from shared.kafka.watching import watch
from shared.postgres.connecting import Pool, open_pool
from shared.postgres.measuring import measure as count
from shared.postgres.positions import Positions
from shared.runtime.clock import SystemClock, new_id
from shared.runtime.lifecycle import Process, run_process
from shared.runtime.settings import SettingsError, StackSettings, required
from shared.telemetry.metrics import PARKED_MESSAGES

PROTOCOLS: dict[str, Webhooks] = {one.name: one for one in (WOOCOMMERCE, SHOPIFY)}
POLLED: dict[str, Polled] = {one.name: one for one in (MIRAKL,)}
READ: dict[str, Reads] = {**PROTOCOLS, **POLLED}
BATCH_MAX = 2_000
LEASE_SECONDS = 20.0  # beside a call's own time: what keeping a page may take
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
    references = ReferenceHandler(pool, learned=folding.learned)
    _add_consumer(process, kafka, pool, references)
    customer_key, key = _bytes(settings.customer_key), _bytes(settings.api_key)
    receiving = Receiving(
        Inbox(pool),
        {channel: subscription_of(shop) for channel, shop in settings.shops.items()},
        customer_key,
        woken=folding.wake,
    )
    polls, guards = Polls(pool), [Depends(api.key_guard(key))]
    for channel, marketplace in settings.marketplaces.items():
        _add_poller(process, channel, marketplace, polls, customer_key, folding)
    application = api.create(
        Accepting(sending, SystemClock()), receiving, process.health,
        api.Limits(
            body_bytes_max=settings.body_bytes_max, webhook_bytes_max=settings.webhook_bytes_max,
            read_seconds=settings.read_seconds,
        ),
        api_key=key,
        routers=[
            parked_router(pool, PARKING, references.replay, guards=guards),
            api.marketplaces(lambda: polls.states(list(settings.marketplaces)), guards),
        ],
    )  # fmt: skip
    process.serve_http(application, host=stack.host, port=settings.port)


def _bytes(secret: SecretStr | None) -> bytes | None:
    return None if secret is None else secret.get_secret_value().encode()


def _add_poller(
    process: Process, channel: str, told: Marketplace, polls: Polls, customer_key: bytes | None,
    folding: Folding,
) -> None:  # fmt: skip
    """One marketplace's orders into the same inbox; the processes take turns."""
    seller = MiraklSeller(
        url=told.url, api_key=told.api_key.get_secret_value(), shop_id=told.shop_id,
        page_size=told.page_size, timeout_seconds=told.timeout_seconds,
    )  # fmt: skip
    process.resources.push_async_callback(seller.close)
    options = PollOptions(
        poll_seconds=told.poll_seconds, overlap_seconds=told.overlap_seconds,
        first_days=told.first_days, lease_seconds=2 * told.timeout_seconds + LEASE_SECONDS,
        accepts=told.accepts,
    )  # fmt: skip
    polling = Polling(
        channel, POLLED[told.kind], seller, polls, SystemClock(),
        f"{socket.gethostname()}/{new_id()}", options, customer_key, folding.wake,
    )  # fmt: skip
    process.add(f"poll-{channel}", lambda: polling.run(process.closing))


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
        pool, READ, clock, process.closing, sweep_seconds=settings.sweep_seconds, woken=woken
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


def _add_consumer(process: Process, kafka: str, pool: Pool, references: ReferenceHandler) -> None:
    """Listings from reference-data-v1. Readiness does not ask for it: shops are answered without
    Kafka.
    """
    consuming = Consuming(
        ConsumerOptions(
            servers=kafka, group="ingestion", topics=(REFERENCE_DATA.name,),
            batch_max=lambda: BATCH_MAX,
        ),
        references,
        Positions(pool, schema="ingestion", owner=f"{socket.gethostname()}/{new_id()}"),
        SystemClock(),
        process.closing,
    )  # fmt: skip

    gauges = ((PARKED_MESSAGES.labels(metrics.SERVICE), PARKING.count),)

    def is_first() -> bool:
        return any(place.partition == 0 for place in consuming.assigned)

    process.add("count", lambda: count(pool, gauges, process.closing, is_first=is_first))
    process.add("consume", consuming.run)
    # The HTTP half takes events while Kafka is away: it is ready without its consumer.
    watch(process, consuming, metrics.SERVICE, is_needed=False)


def main() -> int:
    """Run ingestion until a signal."""
    return run_process("ingestion", build, log_level=StackSettings().log_level)
