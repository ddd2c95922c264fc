"""Shopify's webhooks: signed with the app's secret, tried again eight times, then unsubscribed.

Source: shopify.dev, "About webhooks" and "Troubleshooting webhooks": 1 s to connect, 5 s in all,
8 retries over 4 hours, then the subscription is removed. Deliveries may overtake each other.
"""

import asyncio
import json
import uuid
from dataclasses import dataclass
from typing import Any

import aiohttp

from services.simulators.shopify.orders import moment
from services.simulators.shopify.stock import gid
from services.simulators.webhooks import signature

TOPICS = frozenset({"orders/create", "orders/updated", "orders/cancelled", "refunds/create"})
RETRIES_MAX = 8
QUEUE_MAX = 10_000
WORKERS = 4
CONNECT_SECONDS, TOTAL_SECONDS = 1.0, 5.0
# Doubled seven times over, 8 pauses make 4 hours. Their lengths are (unverified), the sum is not.
FIRST_PAUSE_SECONDS = 14_400 / (2**RETRIES_MAX - 1)
IDS = uuid.UUID("5d1c6f0e-8a52-4a8e-9a3e-0b1f6a0f7c11")


@dataclass(slots=True, kw_only=True)
class Subscription:
    """Who is told about a topic. `failures` counts the failed attempts of its worst delivery."""

    id: int
    topic: str
    uri: str
    delivered: int = 0
    failures: int = 0

    def resolved(self) -> dict[str, Any]:
        """As GraphQL objects."""
        return {
            "__typename": "WebhookSubscription", "id": gid("WebhookSubscription", self.id),
            "topic": self.topic.replace("/", "_").upper(), "uri": self.uri,
        }  # fmt: skip


@dataclass(slots=True, kw_only=True)
class Delivery:
    """One delivery; its retries carry the same ids and the same body."""

    subscription: Subscription
    body: bytes
    headers: dict[str, str]
    attempts: int = 0


class Webhooks:
    """The subscriptions of one app in one shop, and the workers that deliver for them."""

    def __init__(self, *, secret: str, domain: str, version: str) -> None:
        self.subscriptions: dict[int, Subscription] = {}
        self.removed: list[Subscription] = []
        self.first_pause_seconds = FIRST_PAUSE_SECONDS
        self._secret, self._domain, self._version = secret, domain, version
        self._queue: asyncio.Queue[Delivery] = asyncio.Queue(QUEUE_MAX)
        self._timers: dict[int, asyncio.TimerHandle] = {}
        self._workers: list[asyncio.Task[None]] = []
        self._events = 0
        self._deliveries = 0
        self.lost = 0

    def add(self, subscription: Subscription) -> None:
        """Subscribe; nothing is sent before something happens."""
        self.subscriptions[subscription.id] = subscription

    def tell(self, topic: str, payload: dict[str, Any], now_us: int) -> None:
        """Something happened: one delivery for every subscription of the topic."""
        self._events += 1
        body = json.dumps(payload, separators=(",", ":")).encode()
        for subscription in self.subscriptions.values():
            if subscription.topic != topic:
                continue
            self._deliveries += 1
            headers = {
                "Content-Type": "application/json",
                "X-Shopify-Topic": topic,
                "X-Shopify-Hmac-SHA256": signature(body, self._secret),
                "X-Shopify-Shop-Domain": self._domain,
                "X-Shopify-API-Version": self._version,
                "X-Shopify-Webhook-Id": self._id("delivery", self._deliveries),
                "X-Shopify-Event-Id": self._id("event", self._events),
                "X-Shopify-Triggered-At": moment(now_us),
            }
            self._enqueue(Delivery(subscription=subscription, body=body, headers=headers))

    async def close(self) -> None:
        """Stop delivering."""
        for timer in self._timers.values():
            timer.cancel()
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        self._workers.clear()

    def _id(self, kind: str, number: int) -> str:
        return str(uuid.uuid5(IDS, f"{self._domain}/{kind}/{number}"))

    def _enqueue(self, delivery: Delivery) -> None:
        self._timers.pop(id(delivery), None)
        try:
            self._queue.put_nowait(delivery)
        except asyncio.QueueFull:
            self.lost += 1
        if not self._workers:
            self._workers = [asyncio.create_task(self._deliver_all()) for _ in range(WORKERS)]

    async def _deliver_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TOTAL_SECONDS, sock_connect=CONNECT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                delivery = await self._queue.get()
                if delivery.subscription.id in self.subscriptions:
                    self._judge(delivery, was_taken=await self._deliver(session, delivery))

    async def _deliver(self, session: aiohttp.ClientSession, delivery: Delivery) -> bool:
        """Anything but a 2xx is a failure, a redirection too."""
        delivery.attempts += 1
        try:
            async with session.post(
                delivery.subscription.uri, data=delivery.body, headers=delivery.headers,
                allow_redirects=False,
            ) as response:  # fmt: skip
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _judge(self, delivery: Delivery, *, was_taken: bool) -> None:
        subscription = delivery.subscription
        if was_taken:
            subscription.failures, subscription.delivered = 0, subscription.delivered + 1
            return
        subscription.failures = max(subscription.failures, delivery.attempts)
        if delivery.attempts > RETRIES_MAX:
            if self.subscriptions.pop(subscription.id, None) is not None:
                self.removed.append(subscription)
            return
        if len(self._timers) >= QUEUE_MAX:
            self.lost += 1
            return
        pause = self.first_pause_seconds * 2 ** (delivery.attempts - 1)
        loop = asyncio.get_running_loop()
        self._timers[id(delivery)] = loop.call_later(pause, self._enqueue, delivery)
