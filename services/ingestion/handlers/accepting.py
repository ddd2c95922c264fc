"""Events over HTTP: each is judged by its topic's model; all are sent, or none is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote_to_bytes

from services.ingestion import metrics
from services.ingestion.handlers.sending import KafkaAway, Receipt, Sending
from shared.contracts.cloudevents import (
    BATCH,
    JSON,
    STRUCTURED,
    Event,
    decode_batch,
    decode_structured,
    headers_for,
    read_headers,
)
from shared.contracts.records import Undecodable, UndecodableReason
from shared.contracts.topics import TOPICS, Topic
from shared.kafka.producing import Outgoing
from shared.runtime.clock import Clock

# What a service alone may say is said by that service: nobody posts a stock level.
OPEN_TOPICS: Final[Mapping[str, Topic]] = {
    topic.ce_type: topic for topic in TOPICS if "any adapter" in topic.producers
}
NOT_JSON: Final = "datacontenttype: the payload of every topic is application/json"


class UnsupportedContent(Exception):  # noqa: N818  (it names what came)
    """A content type that holds no event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Accepted:
    """An event that Kafka has."""

    id: str
    source: str
    receipt: Receipt


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """An event that is not taken: its place in the request, and why."""

    index: int
    reason: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judged:
    event: Event
    message: Outgoing


def read_request(
    content_type: str, headers: Sequence[tuple[str, str]], body: bytes
) -> list[Event | Undecodable] | Undecodable:
    """The events of a request, by the HTTP binding of CloudEvents 1.0: structured, batched, or
    binary (attributes in `ce-…` headers). Raises UnsupportedContent.
    """
    media = content_type.split(";")[0].strip().lower()
    if media == STRUCTURED:
        return [decode_structured(body)]
    if media == BATCH:
        return decode_batch(body)
    attributes = [(name, value) for name, value in headers if name.startswith("ce-")]
    if media != JSON or not attributes:
        raise UnsupportedContent(
            f"send {STRUCTURED}, {BATCH}, or {JSON} with the attributes in ce-… headers"
        )
    # Attribute values are percent-encoded in HTTP headers (HTTP binding, 3.1.3.2).
    told = [
        (f"ce_{name[3:]}", unquote_to_bytes(value.encode("latin-1"))) for name, value in attributes
    ]
    read = read_headers([*told, ("content-type", JSON.encode())])
    return [read if isinstance(read, Undecodable) else Event(read, body)]


class Accepting:
    """What `POST /v1/events` does with events."""

    def __init__(self, sending: Sending, clock: Clock) -> None:
        self._sending = sending
        self._clock = clock

    async def accept(
        self, events: Sequence[Event | Undecodable]
    ) -> tuple[list[Accepted], list[Refused]]:
        """Send all, or say why some are refused and send none. Raises KafkaAway."""
        judged: list[_Judged] = []
        refused: list[Refused] = []
        for index, event in enumerate(events):
            found = event if isinstance(event, Undecodable) else self._judge(event)
            if isinstance(found, Undecodable):
                refused.append(Refused(index=index, reason=found.reason.value, detail=found.detail))
            else:
                judged.append(found)
        if refused:
            metrics.EVENTS.labels("refused").inc(len(refused))
            return [], refused
        try:
            receipts = await self._sending.send([one.message for one in judged])
        except KafkaAway:
            metrics.EVENTS.labels("away").inc(len(judged))
            raise
        metrics.EVENTS.labels("accepted").inc(len(judged))
        accepted = [
            Accepted(id=j.event.headers.id, source=j.event.headers.source, receipt=receipt)
            for j, receipt in zip(judged, receipts, strict=True)
        ]
        return accepted, []

    def _judge(self, event: Event) -> _Judged | Undecodable:
        told = event.headers
        topic = OPEN_TOPICS.get(told.type)
        if topic is None:
            detail = f"type: there are {', '.join(sorted(OPEN_TOPICS))}"
            return Undecodable(UndecodableReason.UNKNOWN_TYPE, detail)
        media = (told.datacontenttype or JSON).split(";")[0].strip().lower()
        if media != JSON:
            return Undecodable(UndecodableReason.INVALID, NOT_JSON)
        payload = topic.decode(event.data)
        if isinstance(payload, Undecodable):
            return payload
        headers = headers_for(
            id_=told.id, source=told.source, type_=told.type,
            time=told.time or self._clock.now(), subject=told.subject,
            dataschema=topic.dataschema, traceparent=told.traceparent,
        )  # fmt: skip
        # Written anew, so that fields of no contract, which might be personal, end here.
        message = Outgoing(
            topic=topic.name, partition=topic.partition_of(payload), key=payload.key(),
            value=payload.encode(), headers=headers,
        )  # fmt: skip
        return _Judged(event=event, message=message)
