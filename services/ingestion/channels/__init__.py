"""What the shops' protocols have in common: what each declares, who signed, what a poll brings."""

import base64
import binascii
import hmac
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from hashlib import sha256
from typing import Any, Protocol

from services.ingestion.domain.allowing import Json
from shared.contracts.orders import Order
from shared.contracts.records import Undecodable

Payload = dict[str, Any]  # JSON of a third party, after the allow-list


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldOrder:
    """A full state: lines name their `listing` and count its units; so do the refunds' lines
    (refund → line → units that are no longer wanted).
    """

    order: Order
    refunds: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldRefund:
    """One refund of an order told elsewhere: line → units that are no longer wanted."""

    order_id: str
    refund_id: str
    cancelled: Mapping[str, int]


Told = ToldOrder | ToldRefund | Undecodable


class Reads(Protocol):
    """What folding asks of a protocol: what a kept payload says."""

    @property
    def read(self) -> Callable[[Payload, str], Told]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Polled:
    """A protocol without webhooks; `redact` and `read` are those of `Webhooks`."""

    name: str
    redact: Callable[[Json, str, bytes | None], Payload | None]
    read: Callable[[Payload, str], Told]


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Orders as a marketplace lists them, persons and all: `total` are there in all its pages, and
    `at` is its own clock's time, None where it doesn't say.
    """

    orders: Sequence[Json]
    total: int
    at: datetime | None


class MarketplaceAway(Exception):  # noqa: N818  (it names what happened, like KafkaAway)
    """A marketplace gave no answer that makes sense; `retry_after_seconds` is its own word."""

    def __init__(self, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_seconds = retry_after_seconds


class Declined(Exception):  # noqa: N818  (it names what happened)
    """A marketplace does not take what we ask for, and would not later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """A protocol. Headers other than the signature are not signed: they decide nothing, except
    that a topic about something else is passed over.

    `redact(told, channel, key)` gives the JSON that is stored, without a person, or None for a
    payload that is neither an order nor a refund; `read(payload, channel)` what it says.
    """

    name: str
    signature_header: str
    delivery_header: str
    topic_header: str
    topics: re.Pattern[str]
    redact: Callable[[Json, str, bytes | None], Payload | None]
    read: Callable[[Payload, str], Told]
    ping: re.Pattern[bytes] | None = None

    def is_ping(self, content_type: str, body: bytes) -> bool:
        """The unsigned greeting of a new subscription: it says nothing, and nothing is stored."""
        is_form = content_type.split(";")[0].strip() == "application/x-www-form-urlencoded"
        return is_form and self.ping is not None and self.ping.fullmatch(body) is not None

    def concerns(self, topic: str | None) -> bool:
        """Whether a topic may be about orders; without one the body is judged alone."""
        return topic is None or self.topics.fullmatch(topic) is not None


def is_signed(body: bytes, signatures: Sequence[str], secrets: Sequence[bytes]) -> bool:
    """Whether the one signature is base64(HMAC-SHA256(raw body)) under one of the secrets.

    Every secret is tried in constant time: two are accepted while one replaces the other.
    """
    if len(signatures) != 1:
        return False
    try:
        given = base64.b64decode(signatures[0], validate=True)
    except (binascii.Error, ValueError):
        return False
    matches = [
        hmac.compare_digest(hmac.new(secret, body, sha256).digest(), given) for secret in secrets
    ]
    return any(matches)


def order_id_of(channel: str, number: object) -> str:
    """Shops number their orders from one: ours is the channel and the shop's number."""
    return f"{channel}:{number}"


def money(amount: Decimal) -> str:
    """Decimal text of at most 6 places."""
    return format(amount.quantize(Decimal("0.000001")).normalize(), "f")
