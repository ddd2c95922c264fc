"""The HTTP side of ingestion as its composition root makes it, with nothing behind it but lists."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx

from services.ingestion import api
from services.ingestion.channels.shopify import SHOPIFY
from services.ingestion.channels.woocommerce import WOOCOMMERCE
from services.ingestion.handlers.accepting import Accepting
from services.ingestion.handlers.receiving import Receiving, Subscription
from services.ingestion.handlers.sending import KafkaAway, Receipt
from services.ingestion.repository.inbox import Delivery
from shared.kafka.producing import Outgoing
from shared.runtime.clock import ManualClock
from shared.telemetry.health import Health
from tests.unit.ingestion.builders import CHANNEL, KEY, OTHER_SECRET, SECRET

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
OLD_SECRET = "the-secret-before-this"
BYTES_MAX = 4_096


@dataclass
class FakeKafka:
    """Keeps what was sent; away when told so."""

    sent: list[Outgoing] = field(default_factory=list)
    is_away: bool = False

    async def send(self, messages: Sequence[Outgoing]) -> list[Receipt]:
        if self.is_away:
            raise KafkaAway("told to be")
        first = len(self.sent)
        self.sent += messages
        return [
            Receipt(topic=m.topic, partition=m.partition, offset=first + i)
            for i, m in enumerate(messages)
        ]


@dataclass
class FakeInbox:
    """Keeps each body of a channel once."""

    kept: dict[tuple[str, bytes], Delivery] = field(default_factory=dict)
    is_away: bool = False

    async def store(self, delivery: Delivery) -> bool:
        if self.is_away:
            raise OSError("the database is away")
        key = delivery.channel, delivery.body_sha256
        is_new = key not in self.kept
        self.kept.setdefault(key, delivery)
        return is_new


@dataclass(kw_only=True)
class Front:
    """A client of the application, and what came through it."""

    http: httpx.AsyncClient
    kafka: FakeKafka
    inbox: FakeInbox
    woken: asyncio.Event


@asynccontextmanager
async def a_front(
    *, api_key: bytes | None = None, read_seconds: float = 5.0
) -> AsyncIterator[Front]:
    """Two shops: `webshop` (WooCommerce, two secrets) and `shopify`; and one more Woo shop."""
    kafka, inbox, woken = FakeKafka(), FakeInbox(), asyncio.Event()
    shops = {
        CHANNEL: Subscription(webhooks=WOOCOMMERCE, secrets=(SECRET.encode(), OLD_SECRET.encode())),
        "other": Subscription(webhooks=WOOCOMMERCE, secrets=(OTHER_SECRET.encode(),)),
        "shopify": Subscription(webhooks=SHOPIFY, secrets=(SECRET.encode(),)),
    }
    limits = api.Limits(
        body_bytes_max=BYTES_MAX, webhook_bytes_max=BYTES_MAX, read_seconds=read_seconds
    )
    application = api.create(
        Accepting(kafka, ManualClock(NOON)),
        Receiving(inbox, shops, KEY, woken=woken.set),
        Health("ingestion"), limits, api_key=api_key,
    )  # fmt: skip
    transport = httpx.ASGITransport(app=application, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://ingestion") as http:
        yield Front(http=http, kafka=kafka, inbox=inbox, woken=woken)
