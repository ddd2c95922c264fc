"""CloudEvents 1.0: the Kafka binding's binary mode, and the JSON format over HTTP.

Sources: cloudevents/spec, `bindings/kafka-protocol-binding.md` and `formats/json-format.md`.
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field, JsonValue, ValidationError
from pydantic_core import from_json, to_json

from .fields import Identifier, Moment
from .records import Record, Undecodable, UndecodableReason, undecodable

STRUCTURED: Final = "application/cloudevents+json"
BATCH: Final = "application/cloudevents-batch+json"
JSON: Final = "application/json"
BATCH_MAX: Final = 1000

Headers = Sequence[tuple[str, bytes]]

_ATTRIBUTE_LENGTH: Final = 200
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class EventHeaders(Record):
    """A CloudEvent's context attributes, without the payload."""

    specversion: Literal["1.0"]
    id: Identifier
    """Any string, unique within `source`."""
    source: Identifier
    """The business source: this shop, this till; not the adapter."""
    type: Identifier
    time: Moment | None = None
    subject: Identifier | None = None
    datacontenttype: Identifier | None = None
    dataschema: Identifier | None = None
    partitionkey: Identifier | None = None
    sequence: Identifier | None = None
    traceparent: Identifier | None = None
    tracestate: Annotated[str, Field(max_length=512, pattern=r"^[\x20-\x7e]+$")] | None = None


class Event(NamedTuple):
    """A CloudEvent: its attributes and its payload, still JSON text."""

    headers: EventHeaders
    data: bytes


def headers_for(
    *,
    id_: str,
    source: str,
    type_: str,
    time: datetime,
    subject: str | None = None,
    dataschema: str | None = None,
    traceparent: str | None = None,
) -> list[tuple[str, bytes]]:
    """The Kafka headers of a message in binary mode; the value is the JSON payload alone."""
    assert time.tzinfo is not None, "a moment has a zone"
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", id_.encode()),
        ("ce_source", source.encode()),
        ("ce_type", type_.encode()),
        ("ce_time", time.isoformat().encode()),
        ("content-type", b"application/json"),
    ]
    optional = (("subject", subject), ("dataschema", dataschema), ("traceparent", traceparent))
    headers.extend((f"ce_{name}", text.encode()) for name, text in optional if text is not None)
    return headers


def identity_of(headers: Headers) -> tuple[str, str] | None:
    """(`ce_source`, `ce_id`) alone, for reading at speed; None where `read_headers` would refuse.

    Of a header that comes twice, the last counts, as in `read_headers`.
    """
    found = dict(headers)
    try:
        source, id_ = found["ce_source"].decode(), found["ce_id"].decode()
    except (KeyError, UnicodeDecodeError, AttributeError):
        return None
    if not (0 < len(source) <= _ATTRIBUTE_LENGTH and 0 < len(id_) <= _ATTRIBUTE_LENGTH):
        return None
    if source.isprintable() and id_.isprintable():  # the common case, at a tenth of the cost
        return source, id_
    return None if _CONTROL.search(source) or _CONTROL.search(id_) else (source, id_)


def read_headers(headers: Headers) -> EventHeaders | Undecodable:
    """All attributes of a message in binary mode, or why they can't be read."""
    told: dict[str, str] = {}
    try:
        for name, value in dict(headers).items():
            if name.startswith("ce_"):
                told[name[3:]] = value.decode()
            elif name.lower() == "content-type":
                told["datacontenttype"] = value.decode()
    except (UnicodeDecodeError, AttributeError):
        return Undecodable(UndecodableReason.MALFORMED, "a header is no UTF-8 text")
    try:
        return EventHeaders.decode(to_json(told))
    except ValidationError as error:
        return undecodable(error)


class _Structured(EventHeaders):
    data: JsonValue = None
    data_base64: str | None = None


def decode_structured(body: bytes) -> Event | Undecodable:
    """One event in the JSON format (`application/cloudevents+json`)."""
    try:
        told = _Structured.decode(body)
        data = to_json(told.data)
        if told.data_base64 is not None:
            data = base64.b64decode(told.data_base64, validate=True)
    except ValidationError as error:
        return undecodable(error)
    except ValueError:
        return Undecodable(UndecodableReason.MALFORMED, "data_base64 is no base64")
    if told.data is not None and told.data_base64 is not None:
        return Undecodable(UndecodableReason.INVALID, "an event has data or data_base64, not both")
    attributes = {name: getattr(told, name) for name in EventHeaders.model_fields}
    return Event(EventHeaders.model_construct(**attributes), data)


def decode_batch(body: bytes) -> list[Event | Undecodable] | Undecodable:
    """A JSON array of events (`application/cloudevents-batch+json`), each judged by itself."""
    try:
        told = from_json(body, allow_inf_nan=False)
    except ValueError:
        return Undecodable(UndecodableReason.MALFORMED, "the body is no JSON")
    if not isinstance(told, list):
        return Undecodable(UndecodableReason.MALFORMED, "a batch is a JSON array")
    if len(told) > BATCH_MAX:
        return Undecodable(UndecodableReason.INVALID, f"a batch has at most {BATCH_MAX} events")
    return [decode_structured(to_json(event)) for event in told]
