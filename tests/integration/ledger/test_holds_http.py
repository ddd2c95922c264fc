"""Holds over HTTP: what is answered, and how it is refused."""

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, open_counter

CART = {"purpose": "cart", "channel": "web", "lines": [{"sku": "S1", "quantity": 2}]}
PROBLEM = "application/problem+json"


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", "L1"))
        await opened.receive(5)
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def http(counter: Counter) -> AsyncIterator[httpx.AsyncClient]:
    async with counter.http() as client:
        yield client


async def test_a_hold_goes_from_cart_to_order(http: httpx.AsyncClient, counter: Counter) -> None:
    held = await http.post("/v1/holds", json=CART | {"hold_id": "c1", "ttl_seconds": 60})
    assert (held.status_code, held.json()["state"]) == (201, "held")
    assert held.json()["lines"] == [
        {"sku": "S1", "held": [{"location": "L1", "quantity": 2}]}
    ]  # fmt: skip

    extended = await http.post("/v1/holds/c1/extend", json={"ttl_seconds": 600})
    assert extended.json()["until"] > held.json()["until"]
    confirmed = await http.post("/v1/holds/c1/confirm", json={"order_id": "O1", "line_ids": ["1"]})
    assert confirmed.json()["state"] == "confirmed"

    assert (await http.get("/v1/holds/c1")).json() == confirmed.json()
    assert (await counter.ledger.level())["allocated"] == 2


async def test_the_key_is_the_id_where_the_body_has_none(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "k1"}

    first = await http.post("/v1/holds", json=CART, headers=key)
    again = await http.post("/v1/holds", json=CART, headers=key)
    other = await http.post("/v1/holds", json=CART | {"partial": True}, headers=key)

    assert first.json()["hold_id"] == "k1"
    assert again.json() == first.json()
    assert (other.status_code, other.headers["content-type"]) == (409, PROBLEM)
    assert other.json()["type"] == "urn:stocktide:holds:id-taken"


async def test_two_requests_without_an_id_are_two_holds(http: httpx.AsyncClient) -> None:
    first, second = [await http.post("/v1/holds", json=CART) for _ in range(2)]

    assert first.json()["hold_id"] != second.json()["hold_id"]


async def test_a_refusal_says_why_and_what_would_be_possible(http: httpx.AsyncClient) -> None:
    asked = CART | {"lines": [{"sku": "S1", "quantity": 6}]}

    refused = await http.post("/v1/holds", json=asked)

    assert (refused.status_code, refused.headers["content-type"]) == (409, PROBLEM)
    told = refused.json()
    assert (told["type"], told["reason"]) == (
        "urn:stocktide:holds:refused", "quantity_exceeds_offered",
    )  # fmt: skip
    assert told["lines"][0]["refused"] == {
        "reason": "quantity_exceeds_offered", "quantity": 6, "possible": 5,
    }  # fmt: skip
    read = await http.get(f"/v1/holds/{told['hold_id']}")
    assert read.json()["state"] == "refused"


async def test_what_nobody_knows_is_refused_by_name(http: httpx.AsyncClient) -> None:
    asked = CART | {"lines": [{"sku": "NEW", "quantity": 1}]}

    refused = (await http.post("/v1/holds", json=asked)).json()

    assert refused["reason"] == "unknown_sku"
    told = (await http.get(f"/v1/holds/{refused['hold_id']}")).json()
    assert told["lines"][0]["sku"] == "NEW"


async def test_a_till_reads_the_holds_of_its_store(http: httpx.AsyncClient) -> None:
    asked = CART | {"purpose": "in_store", "beneficiary": {"order_id": "O9"}}
    for name in ("a", "b"):
        await http.post("/v1/holds", json=asked | {"hold_id": name})

    told = (await http.get("/v1/holds", params={"location": "L1"})).json()["holds"]

    assert [one["hold_id"] for one in told] == ["a", "b"]
    assert (told[0]["sku"], told[0]["quantity"], told[0]["purpose"]) == ("S1", 2, "in_store")
    after = {"location": "L1", "sku": "S1", "after": told[0]["hold_no"]}
    rest = (await http.get("/v1/holds", params=after)).json()["holds"]
    assert [one["hold_id"] for one in rest] == ["b"]


async def test_a_hold_that_is_over_is_not_shown_in_the_levels(
    http: httpx.AsyncClient, counter: Counter
) -> None:
    await http.post("/v1/holds", json=CART | {"hold_id": "c1", "ttl_seconds": 60})

    async def shown() -> list[int]:
        told = (await http.get("/v1/levels", params={"sku": "S1"})).json()["levels"]
        why = (await http.get("/v1/explain/S1")).json()["levels"]
        return [told[0]["reserved"], why[0]["reserved"]]

    assert await shown() == [2, 2]
    counter.ledger.clock.advance(seconds=60)
    assert await shown() == [0, 0]
    assert await counter.reserved() == 2  # not settled yet


async def test_a_confirmed_hold_is_not_released(http: httpx.AsyncClient) -> None:
    await http.post("/v1/holds", json=CART | {"hold_id": "c1"})
    await http.post("/v1/holds/c1/confirm", json={"order_id": "O1", "line_ids": ["1"]})

    refused = await http.post("/v1/holds/c1/release")

    assert (refused.status_code, refused.json()["state"]) == (409, "confirmed")


async def test_a_released_hold_is_not_extended(http: httpx.AsyncClient) -> None:
    await http.post("/v1/holds", json=CART | {"hold_id": "c1"})
    assert (await http.post("/v1/holds/c1/release")).status_code == 200

    refused = await http.post("/v1/holds/c1/extend", json={"ttl_seconds": 60})

    assert (refused.status_code, refused.json()["state"]) == (409, "released")


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        pytest.param("/v1/holds", b"", 422, id="nothing"),
        pytest.param("/v1/holds", b"[]", 422, id="no_request"),
        pytest.param("/v1/holds", b'{"purpose":"cart","lines":[]}', 422, id="no_lines"),
        pytest.param(
            "/v1/holds", b'{"purpose":"cart","lines":[{"sku":"S1","quantity":1}]}', 422,
            id="neither_channel_nor_place",
        ),
        pytest.param(
            "/v1/holds",
            b'{"purpose":"cart","channel":"web","lines":[{"sku":"S\\u0000","quantity":1}]}', 422,
            id="a_sku_that_no_database_holds",
        ),
        pytest.param(
            "/v1/holds",
            b'{"purpose":"cart","channel":"web","lines":[{"sku":"S1","quantity":99999999999}]}',
            422, id="a_quantity_that_no_contract_holds",
        ),
        pytest.param(
            "/v1/holds",
            b'{"purpose":"cart","channel":"web","until":"2020-01-01T00:00:00Z",'
            b'"lines":[{"sku":"S1","quantity":1}]}',
            422, id="an_end_in_the_past",
        ),
        pytest.param("/v1/holds/none/extend", b"{}", 422, id="no_end"),
        pytest.param("/v1/holds/none/extend", b'{"ttl_seconds":60}', 404, id="nobodys_hold"),
        pytest.param("/v1/holds/none/release", b"", 404, id="nobodys_hold_to_release"),
        pytest.param(
            "/v1/holds/none/confirm", b'{"order_id":"O1","line_ids":["1"]}', 404,
            id="nobodys_hold_to_confirm",
        ),
    ],
)  # fmt: skip
async def test_what_no_hold_can_be_is_a_problem(
    http: httpx.AsyncClient, path: str, body: bytes, status: int
) -> None:
    told = await http.post(path, content=body)

    assert (told.status_code, told.headers["content-type"]) == (status, PROBLEM)


async def test_a_body_without_end_is_not_read_to_its_end(http: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b" " * 65_536

    told = await http.post("/v1/holds", content=endless())

    assert told.status_code == 413


async def test_after_the_end_of_the_process_nothing_is_decided(ledger: LedgerBench) -> None:
    async with open_counter(ledger) as counter:
        pass

    async with counter.http() as client:
        told = await client.post("/v1/holds", json=CART)

    assert (told.status_code, told.headers["retry-after"]) == (503, "1")


async def test_the_openapi_file_describes_the_bodies(http: httpx.AsyncClient) -> None:
    paths = (await http.get("/openapi.json")).json()["paths"]

    body = paths["/v1/holds"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    assert {"purpose", "lines", "partial"} <= body["properties"].keys()
