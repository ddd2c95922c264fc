"""CloudEvents: what our headers say, what others' headers may say, and the JSON format."""

import json
from datetime import UTC, datetime

import pytest

from shared.contracts.cloudevents import (
    BATCH_MAX,
    Event,
    EventHeaders,
    decode_batch,
    decode_structured,
    headers_for,
    identity_of,
    read_headers,
)
from shared.contracts.records import Undecodable, UndecodableReason

REQUIRED = [("ce_specversion", b"1.0"), ("ce_id", b"1"), ("ce_source", b"shop"), ("ce_type", b"t")]
NOW = datetime(2026, 3, 2, 9, 15, tzinfo=UTC)


def an_event(**changes: object) -> dict[str, object]:
    """An event in the JSON format."""
    return {"specversion": "1.0", "id": "1", "source": "s", "type": "t", "data": {"a": 1}} | changes


def test_our_headers_are_read_back_the_same() -> None:
    headers = headers_for(
        id_="m-1",
        source="urn:till:é",
        type_="io.stocktide.movement.v1",
        time=NOW,
        subject="S1",
        dataschema="schemas/stock-movements-v1.json",
        traceparent="00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
    )

    read = read_headers(headers)

    assert isinstance(read, EventHeaders), read
    assert (read.id, read.source, read.type) == ("m-1", "urn:till:é", "io.stocktide.movement.v1")
    assert (read.time, read.subject) == (NOW, "S1")
    assert read.dataschema == "schemas/stock-movements-v1.json"
    assert read.traceparent is not None
    assert read.datacontenttype == "application/json"
    assert identity_of(headers) == ("urn:till:é", "m-1")


def test_headers_that_we_do_not_know_are_tolerated() -> None:
    read = read_headers([*REQUIRED, ("ce_ourown", b"x"), ("trace", b"\xff".replace(b"\xff", b"y"))])

    assert isinstance(read, EventHeaders)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("ce_id", b"", id="an_empty_id"),
        pytest.param("ce_id", b"a\x00b", id="a_nul"),
        pytest.param("ce_id", "a\x85b".encode(), id="a_control_character_beyond_ascii"),
        pytest.param("ce_id", b"\xff", id="no_utf_8"),
        pytest.param("ce_id", b"\xed\xa0\x80", id="a_surrogate"),
        pytest.param("ce_id", None, id="no_value"),
        pytest.param("ce_source", b"x" * 201, id="a_long_source"),
        pytest.param("ce_source", b"", id="an_empty_source"),
    ],
)
def test_both_ways_of_reading_refuse_the_same_identity(name: str, value: bytes) -> None:
    headers = [*REQUIRED, (name, value)]

    assert identity_of(headers) is None
    assert isinstance(read_headers(headers), Undecodable)


@pytest.mark.parametrize("missing", [name for name, _ in REQUIRED])
def test_a_missing_attribute_is_refused(missing: str) -> None:
    read = read_headers([header for header in REQUIRED if header[0] != missing])

    assert isinstance(read, Undecodable)
    assert read.reason is UndecodableReason.INVALID
    assert missing.removeprefix("ce_") in read.detail


def test_another_version_of_the_specification_is_unknown() -> None:
    read = read_headers([*REQUIRED, ("ce_specversion", b"2.0")])

    assert isinstance(read, Undecodable)
    assert read.reason is UndecodableReason.UNKNOWN_TYPE


@pytest.mark.parametrize("text", [b"2026-03-02T09:15:00", b"yesterday", b"9999-12-31T23:59:59Z"])
def test_a_time_out_of_bounds_is_refused(text: bytes) -> None:
    assert isinstance(read_headers([*REQUIRED, ("ce_time", text)]), Undecodable)


@pytest.mark.parametrize(
    ("changes", "data"),
    [
        pytest.param({}, b'{"a":1}', id="an_object"),
        pytest.param({"data": {"q": 3.0, "m": "1.50"}}, b'{"q":3.0,"m":"1.50"}', id="numbers_stay"),
        pytest.param({"data": {"q": 2**70}}, b'{"q":1180591620717411303424}', id="big_numbers"),
        pytest.param({"data": None, "data_base64": "eyJhIjoxfQ=="}, b'{"a":1}', id="base64"),
    ],
)
def test_a_structured_event_gives_its_payload_as_json(
    changes: dict[str, object], data: bytes
) -> None:
    event = decode_structured(json.dumps(an_event(**changes)).encode())

    assert isinstance(event, Event), event
    assert type(event.headers) is EventHeaders
    assert event.data == data


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"specversion":"1.0"}',
        json.dumps(an_event(data_base64="eyJhIjoxfQ==")).encode(),
        json.dumps(an_event(data=None, data_base64="*")).encode(),
        json.dumps(an_event(data=None, data_base64="é")).encode(),
        json.dumps(an_event(id="a\0")).encode(),
    ],
)
def test_what_is_no_structured_event_is_refused(body: bytes) -> None:
    assert isinstance(decode_structured(body), Undecodable)


def test_each_event_of_a_batch_is_judged_by_itself() -> None:
    body = json.dumps([an_event(id="1"), an_event(id=""), 7, an_event(id="2")]).encode()

    events = decode_batch(body)

    assert isinstance(events, list)
    assert [isinstance(event, Event) for event in events] == [True, False, False, True]


@pytest.mark.parametrize("body", [b"", b"{}", b"[NaN]", b"[1" + b",1" * BATCH_MAX + b"]"])
def test_what_is_no_batch_is_refused_as_a_whole(body: bytes) -> None:
    assert isinstance(decode_batch(body), Undecodable)
