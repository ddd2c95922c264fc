"""A webhook's delivery: signed by its shop, rid of its persons, and in the inbox before we answer.

Nothing here waits for Kafka: shops drop a subscription after a few failures in a row.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Final, Protocol

from pydantic_core import from_json

from services.ingestion import metrics
from services.ingestion.channels import Webhooks, is_signed
from services.ingestion.domain.allowing import Json
from services.ingestion.repository.inbox import Delivery

log = logging.getLogger(__name__)

_PLAIN: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,100}", re.ASCII)


class Fate(StrEnum):
    """What became of a delivery."""

    UNKNOWN_SHOP = "unknown_shop"
    PING = "ping"
    FORGED = "forged"
    IGNORED = "ignored"
    REPEATED = "repeated"
    STORED = "stored"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """A shop that may deliver: its protocol, and the secrets it may sign with."""

    webhooks: Webhooks
    secrets: tuple[bytes, ...]


class Keeping(Protocol):
    """The port to the inbox."""

    async def store(self, delivery: Delivery) -> bool: ...


class Receiving:
    """What a webhook's route does with a delivery."""

    def __init__(
        self,
        inbox: Keeping,
        subscriptions: Mapping[str, Subscription],
        customer_key: bytes | None,
        *,
        woken: Callable[[], None],
    ) -> None:
        self._inbox = inbox
        self._subscriptions = subscriptions
        self._customer_key = customer_key
        self._woken = woken

    async def receive(
        self, protocol: str, channel: str, headers: Mapping[str, Sequence[str]], body: bytes
    ) -> Fate:
        """Judge a delivery and keep what is an order's; `headers` by lower-case name."""
        subscription = self._subscriptions.get(channel)
        if subscription is None or subscription.webhooks.name != protocol:
            return Fate.UNKNOWN_SHOP
        fate = await self._judge(subscription, channel, headers, body)
        metrics.DELIVERIES.labels(protocol, fate.value).inc()
        if fate is Fate.STORED:
            self._woken()
        elif fate in (Fate.FORGED, Fate.IGNORED):
            log.warning(
                "delivery not kept", extra={"action": f"delivery_{fate.value}", "channel": channel}
            )
        return fate

    async def _judge(
        self,
        subscription: Subscription,
        channel: str,
        headers: Mapping[str, Sequence[str]],
        body: bytes,
    ) -> Fate:
        webhooks = subscription.webhooks
        if webhooks.is_ping("".join(headers.get("content-type", ())), body):
            return Fate.PING
        if not is_signed(body, headers.get(webhooks.signature_header, ()), subscription.secrets):
            return Fate.FORGED
        topic = _plain(headers.get(webhooks.topic_header, ()))
        payload = None
        if webhooks.concerns(topic):
            payload = webhooks.redact(_json(body), channel, self._customer_key)
        if payload is None:
            # Signed, but nothing of ours: another answer than 2xx would end the subscription.
            return Fate.IGNORED
        is_new = await self._inbox.store(
            Delivery(
                channel=channel, protocol=webhooks.name, body_sha256=sha256(body).digest(),
                delivery_id=_plain(headers.get(webhooks.delivery_header, ())), topic=topic,
                payload=payload,
            )
        )  # fmt: skip
        return Fate.STORED if is_new else Fate.REPEATED


def _plain(values: Sequence[str]) -> str | None:
    """A header that is not signed, if it looks like an id or a topic and like nothing else."""
    return values[0] if values and _PLAIN.fullmatch(values[0]) is not None else None


def _json(body: bytes) -> Json:
    try:
        found: Json = from_json(body, allow_inf_nan=False)
    except ValueError:
        return None
    return found
