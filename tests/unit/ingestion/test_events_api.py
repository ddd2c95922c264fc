"""`POST /v1/events`: every content type, every refusal, all or nothing."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from shared.contracts.cloudevents import BATCH, STRUCTURED, identity_of, read_headers
from shared.contracts.topics import STOCK_MOVEMENTS, TOPICS
from tests.unit.ingestion.stage import BYTES_MAX, Front, a_front

URL = "/v1/events"


def a_movement(**overrides: Any) -> dict[str, Any]:
    """A sale of one S1."""
    sale = {
        "type": "sale", "sku": "S1", "location": "L1", "quantity": 1,
        "occurred_at": "2026-06-01T12:00:00Z",
    }  # fmt: skip
    return sale | overrides


def an_event(data: Any = None, **overrides: Any) -> dict[str, Any]:
    """A movement as a structured event."""
    event = {
        "specversion": "1.0", "id": "m1", "source": "till:1", "type": "io.stocktide.movement.v1",
        "data": a_movement() if data is None else data,
    }  # fmt: skip
    return event | overrides


async def post(front: Front, content: bytes, media: str, **headers: str) -> Any:
    """The answer."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return await front.http.post(URL, content=content, headers={"content-type": media, **named})


async def test_a_structured_event_goes_to_its_topic_by_its_key(front: Front) -> None:
    event = an_event(time="2026-06-01T12:00:00Z", subject="S1", traceparent="00-abc-def-01")

    answer = await post(front, json.dumps(event).encode(), f"{STRUCTURED}; charset=utf-8")

    assert answer.status_code == 202, answer.text
    (message,) = front.kafka.sent
    decoded = STOCK_MOVEMENTS.decode(message.value)
    assert decoded == STOCK_MOVEMENTS.decode(json.dumps(a_movement()).encode())
    assert (message.topic, message.key) == ("stock-movements-v1", b"S1")
    assert message.partition == STOCK_MOVEMENTS.partition_of(decoded)  # type: ignore[arg-type]  # compared above
    assert identity_of(message.headers) == ("till:1", "m1")
    told = read_headers(message.headers)
    assert (told.subject, told.traceparent) == ("S1", "00-abc-def-01")  # type: ignore[union-attr]  # it is read
    assert answer.json() == {
        "accepted": [{"id": "m1", "source": "till:1", "topic": "stock-movements-v1",
                      "partition": message.partition, "offset": 0}]
    }  # fmt: skip


async def test_a_batch_goes_out_in_its_order(front: Front) -> None:
    events = [an_event(id=f"m{i}") for i in range(3)]

    answer = await post(front, json.dumps(events).encode(), BATCH)

    assert answer.status_code == 202
    assert [entry["id"] for entry in answer.json()["accepted"]] == ["m0", "m1", "m2"]
    assert len(front.kafka.sent) == 3


async def test_a_binary_event_has_its_attributes_in_headers(front: Front) -> None:
    answer = await post(
        front, json.dumps(a_movement()).encode(), "application/json", ce_specversion="1.0",
        ce_id="caf%C3%A9", ce_source="till:1", ce_type="io.stocktide.movement.v1",
    )  # fmt: skip

    assert answer.status_code == 202, answer.text
    assert identity_of(front.kafka.sent[0].headers) == ("till:1", "café")


async def test_an_empty_batch_is_accepted_and_says_nothing(front: Front) -> None:
    answer = await post(front, b"[]", BATCH)

    assert (answer.status_code, answer.json()) == (202, {"accepted": []})


async def test_fields_of_no_contract_end_here(front: Front) -> None:
    event = an_event(a_movement(customer_name="Ada Lovelace"))

    answer = await post(front, json.dumps(event).encode(), STRUCTURED)

    assert answer.status_code == 202
    assert b"Ada" not in front.kafka.sent[0].value


@pytest.mark.parametrize("topic", TOPICS, ids=lambda topic: topic.name)
async def test_only_topics_of_adapters_are_open(front: Front, topic: Any) -> None:
    event = an_event(type=topic.ce_type, data={})

    answer = await post(front, json.dumps(event).encode(), STRUCTURED)

    (refused,) = answer.json()["events"]
    is_open = "any adapter" in topic.producers
    assert (
        refused["reason"] != "unknown_type" or "type: there are" not in refused["detail"]
    ) is is_open


@pytest.mark.parametrize(
    ("event", "reason", "place"),
    [
        pytest.param(an_event(specversion="0.3"), "unknown_type", "specversion", id="old_spec"),
        pytest.param(an_event(id=""), "invalid", "id", id="empty_id"),
        pytest.param(an_event(id="a\x00b"), "invalid", "id", id="nul_in_id"),
        pytest.param(an_event(type="com.example.thing"), "unknown_type", "type", id="unknown_type"),
        pytest.param(an_event(a_movement(quantity=-1)), "invalid", "quantity", id="negative"),
        pytest.param(an_event(a_movement(quantity=1.5)), "invalid", "quantity", id="a_float"),
        pytest.param(an_event(a_movement(quantity="1")), "invalid", "quantity", id="text"),
        pytest.param(an_event(a_movement(quantity=10**23)), "invalid", "quantity", id="huge"),
        pytest.param(an_event(a_movement(sku="a\x00b")), "invalid", "sku", id="nul_in_sku"),
        pytest.param(an_event(a_movement(type="teleport")), "unknown_type", "type", id="new_kind"),
        pytest.param(an_event(a_movement(occurred_at="yesterday")), "invalid", "occurred_at",
                     id="no_moment"),
        pytest.param(an_event([]), "malformed", "", id="data_is_a_list"),
        pytest.param(an_event(data_base64="AAAA"), "invalid", "data", id="data_twice"),
        pytest.param({"specversion": "1.0"}, "invalid", "id", id="nothing_but_a_version"),
        pytest.param(an_event(datacontenttype="text/xml"), "invalid", "datacontenttype", id="xml"),
    ],
)  # fmt: skip
async def test_a_bad_event_is_refused_with_its_reason_and_nothing_is_sent(
    front: Front, event: dict[str, Any], reason: str, place: str
) -> None:
    batch = [an_event(id="good"), event]

    answer = await post(front, json.dumps(batch).encode(), BATCH)

    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    (refused,) = answer.json()["events"]
    assert (refused["index"], refused["reason"]) == (1, reason)
    assert place in refused["detail"]
    assert front.kafka.sent == []


@pytest.mark.parametrize(
    ("content", "media", "status"),
    [
        pytest.param(b"{", STRUCTURED, 400, id="broken_json"),
        pytest.param(b"\xff\xfe", STRUCTURED, 400, id="no_utf8"),
        pytest.param(b"{}", BATCH, 400, id="a_batch_that_is_no_list"),
        pytest.param(json.dumps([1] * 1001).encode(), BATCH, 400, id="too_many_events"),
        pytest.param(b'{"id":NaN}', BATCH, 400, id="not_a_number"),
        pytest.param(b"[" * 2000, BATCH, 400, id="too_deep"),
        pytest.param(b"{}", "application/json", 415, id="json_without_attributes"),
        pytest.param(b"<a/>", "text/xml", 415, id="xml"),
        pytest.param(b"", "", 415, id="nothing"),
    ],
)
async def test_a_body_that_holds_no_events_is_a_problem(
    front: Front, content: bytes, media: str, status: int
) -> None:
    answer = await post(front, content, media)

    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == status
    assert front.kafka.sent == []


async def test_a_binary_event_of_another_content_type_is_not_read(front: Front) -> None:
    answer = await post(front, b"{}", "text/plain", ce_specversion="1.0", ce_id="1")

    assert answer.status_code == 415


async def test_a_body_beyond_the_limit_is_refused_unread(front: Front) -> None:
    answer = await post(front, b" " * (BYTES_MAX + 1), STRUCTURED)

    assert (answer.status_code, front.kafka.sent) == (413, [])


async def test_a_chunked_body_is_read_no_further_than_its_limit(front: Front) -> None:
    read = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal read
        while read < 100 * BYTES_MAX:
            read += 1024
            yield b" " * 1024

    answer = await front.http.post(URL, content=endless(), headers={"content-type": STRUCTURED})

    assert answer.status_code == 413
    assert "content-length" not in answer.request.headers


async def test_without_kafka_the_sender_is_asked_to_come_back(front: Front) -> None:
    front.kafka.is_away = True

    answer = await post(front, json.dumps(an_event()).encode(), STRUCTURED)

    assert (answer.status_code, answer.headers["retry-after"]) == (503, "2")
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    "given",
    [None, "Bearer wrong", "Bearer ", "Basic the-key-of-the-till", "the-key-of-the-till",
     "Bearer the-key-of-the-tilx", "Bearer caf\u00e9"],
)  # fmt: skip
async def test_a_wrong_key_is_refused_before_the_body_is_read(given: str | None) -> None:
    raw = [("content-type", BATCH.encode())]
    if given is not None:
        raw.append(("authorization", given.encode()))
    async with a_front(api_key=b"the-key-of-the-till") as front:
        answer = await front.http.post(
            URL, content=b"[]", headers=[(k.encode(), v) for k, v in raw]
        )

    assert (answer.status_code, answer.headers["www-authenticate"]) == (401, "Bearer")


async def test_the_right_key_opens() -> None:
    async with a_front(api_key=b"the-key-of-the-till") as front:
        answer = await post(front, b"[]", BATCH, authorization="Bearer the-key-of-the-till")

    assert answer.status_code == 202


async def test_the_openapi_document_names_routes_bodies_and_problems(front: Front) -> None:
    document = (await front.http.get("/v1/openapi.json")).json()

    assert {"/v1/events", "/v1/webhooks/{protocol}/{channel}"} <= document["paths"].keys()
    events = document["paths"]["/v1/events"]["post"]
    assert {STRUCTURED, BATCH, "application/json"} == events["requestBody"]["content"].keys()
    assert {"202", "400", "413", "415", "503"} <= events["responses"].keys()
    schemas = document["components"]["schemas"]
    assert {"Problem", "RefusedEvent", "AcceptedEvents"} <= schemas.keys()
    assert "HTTPValidationError" not in schemas


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", URL, 405), ("GET", "/v1/x", 404), ("POST", "/v1/webhooks/magento/x", 422)],
)
async def test_other_routes_answer_with_a_problem_too(
    front: Front, method: str, path: str, status: int
) -> None:
    answer = await front.http.request(method, path)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
