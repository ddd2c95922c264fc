"""WooCommerce's webhooks: signed deliveries in order; failures in a row disable a hook."""

import asyncio
import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

FAILURES_MAX = 5
QUEUE_MAX = 10_000
TIMEOUT_SECONDS = 5.0


@dataclass(slots=True, kw_only=True)
class Hook:
    """One subscription. Woo disables it when deliveries in a row meet no 2xx."""

    id: int
    topic: str
    delivery_url: str
    secret: str
    status: str = "active"
    failures: int = 0
    delivered: int = 0

    def view(self) -> dict[str, Any]:
        """The hook's JSON, without its secret."""
        return {
            "id": self.id, "topic": self.topic, "delivery_url": self.delivery_url,
            "status": self.status, "failure_count": self.failures,
        }  # fmt: skip


def signature(body: bytes, secret: str) -> str:
    """X-WC-Webhook-Signature: base64 of HMAC-SHA256 over the raw body."""
    return base64.b64encode(hmac.new(secret.encode(), body, hashlib.sha256).digest()).decode()


class Webhooks:
    """The hooks of a shop, and the one worker that delivers for them."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.hooks: dict[int, Hook] = {}
        self._queue: asyncio.Queue[tuple[Hook, bytes, dict[str, str]]] = asyncio.Queue(QUEUE_MAX)
        self._worker: asyncio.Task[None] | None = None
        self._deliveries = 0

    def add(self, hook: Hook) -> None:
        """Subscribe; the first delivery is a form-encoded ping, unsigned (unverified: the docs of
        the protocol describe it without showing one)."""
        self.hooks[hook.id] = hook
        body = f"webhook_id={hook.id}".encode()
        self._enqueue(hook, body, {"Content-Type": "application/x-www-form-urlencoded"})

    def tell(self, topic: str, payload: dict[str, Any]) -> None:
        """Queue a delivery for every active hook of the topic."""
        for hook in self.hooks.values():
            if hook.topic != topic or hook.status != "active":
                continue
            body = json.dumps(payload, separators=(",", ":")).encode()
            self._deliveries += 1
            resource, event = topic.split(".", 1)
            headers = {
                "Content-Type": "application/json",
                "X-WC-Webhook-Source": self.source,
                "X-WC-Webhook-Topic": topic,
                "X-WC-Webhook-Resource": resource,
                "X-WC-Webhook-Event": event,
                "X-WC-Webhook-Signature": signature(body, hook.secret),
                "X-WC-Webhook-ID": str(hook.id),
                "X-WC-Webhook-Delivery-ID": f"{hook.id}-{self._deliveries}",
            }
            self._enqueue(hook, body, headers)

    async def close(self) -> None:
        """Stop delivering."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)

    def _enqueue(self, hook: Hook, body: bytes, headers: dict[str, str]) -> None:
        try:
            self._queue.put_nowait((hook, body, headers))
        except asyncio.QueueFull:
            hook.failures += 1  # a shop that cannot keep up loses deliveries, as WP-Cron does
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._deliver_all())

    async def _deliver_all(self) -> None:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        async with aiohttp.ClientSession(timeout=timeout) as session:
            while True:
                hook, body, headers = await self._queue.get()
                if hook.status == "active":
                    self._judge(hook, await self._deliver(session, hook, body, headers))

    async def _deliver(
        self, session: aiohttp.ClientSession, hook: Hook, body: bytes, headers: dict[str, str]
    ) -> bool:
        try:
            async with session.post(hook.delivery_url, data=body, headers=headers) as response:
                return 200 <= response.status < 300
        except (aiohttp.ClientError, TimeoutError):
            return False

    def _judge(self, hook: Hook, was_taken: bool) -> None:  # noqa: FBT001  (a delivery's outcome)
        if was_taken:
            hook.failures, hook.delivered = 0, hook.delivered + 1
            return
        hook.failures += 1
        if hook.failures >= FAILURES_MAX:
            hook.status = "disabled"
