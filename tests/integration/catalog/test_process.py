"""The catalog as a process on real Kafka and Postgres: files in over HTTP and the command line."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import httpx
from aiokafka import AIOKafkaConsumer

from services.cli.app import main
from services.cli.state import ProcessState, StackState, own_record, write_state
from shared.contracts.topics import REFERENCE_DATA
from shared.runtime.infrastructure import Addresses
from shared.testing.processes import ServiceProcess, environment_of
from shared.testing.topics import fresh_topics
from shared.testing.waiting import until
from tests.integration.catalog.bench import Json

PORT = 18761
CODES = "sku,scheme,code,from,until\nS1,gtin,400,,2026-06-01\nS2,gtin,400,2026-06-01,\n"


@asynccontextmanager
async def running(
    stack: Addresses, database: str, log: Path, **environment: str
) -> AsyncIterator[tuple[ServiceProcess, httpx.AsyncClient]]:
    """The process, answering."""
    told = environment_of(stack, postgres=database) | {"STOCKTIDE_CATALOG_PORT": str(PORT)}
    process = ServiceProcess("services.catalog.app:main", told | environment, log)
    process.start()
    try:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{PORT}", timeout=30) as client:
            await until(lambda: _is_ready(client), seconds=60)
            yield process, client
    finally:
        process.kill()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def heard(servers: str, count: int) -> list[Json]:
    """The reference data on Kafka, once there are `count` different records."""
    consumer = AIOKafkaConsumer(
        REFERENCE_DATA.name, bootstrap_servers=servers, auto_offset_reset="earliest"
    )
    await consumer.start()
    found: dict[bytes, Json] = {}

    async def enough() -> bool:
        for messages in (await consumer.getmany(timeout_ms=100)).values():
            for message in messages:
                decoded = REFERENCE_DATA.decode(message.value)
                assert message.key == decoded.key()  # type: ignore[union-attr]  # it decodes
                found[message.key] = json.loads(message.value)
        return len(found) >= count

    try:
        await until(enough, seconds=60)
    finally:
        await consumer.stop()
    return list(found.values())


async def test_a_file_goes_to_kafka_and_its_codes_are_answered(
    stack: Addresses, database: str, tmp_path: Path
) -> None:
    await fresh_topics(stack.kafka)
    async with running(stack, database, tmp_path / "catalog.log") as (process, client):
        first = await client.post("/v1/imports/identifier", content=CODES.encode())
        told = await heard(stack.kafka, 2)
        again = await client.post("/v1/imports/identifier", content=CODES.encode())
        wrong = await client.post("/v1/imports/identifier", content=b"sku,scheme,code\n,gtin,1\n")
        answers = [
            (await client.get("/v1/codes/gtin/400", params={"at": at})).json()["sku"]
            for at in ("2026-05-31T23:59:59Z", "2026-06-01T00:00:00Z")
        ]
        unknown = await client.get("/v1/codes/gtin/401")
        page = (await client.get("/v1/records/identifier", params={"limit": 1})).json()
        rest = await client.get("/v1/records/identifier", params={"after": page["next_after"]})
        record = await client.get("/v1/records/identifier/gtin||400?at=2026-07-01")
        strange = await client.get("/v1/codes/gtin/%00")
        metrics = (await client.get("/metrics")).text
        status = await asyncio.to_thread(process.stop)

    assert {(one["sku"], one["code"]) for one in told} == {("S1", "400"), ("S2", "400")}
    assert (first.status_code, first.json()["counts"]["new"]) == (200, 2)
    assert (again.status_code, again.json()["counts"]["unchanged"]) == (200, 2)
    assert (wrong.status_code, wrong.json()["refusals"][0]["column"]) == (422, "sku")
    assert answers == ["S1", "S2"]
    assert unknown.headers["content-type"] == "application/problem+json"
    assert (unknown.status_code, strange.status_code, status) == (404, 422, 0)
    assert [one["record_id"] for one in page["records"] + rest.json()["records"]] == [
        "gtin||400|", "gtin||400|2026-06-01T00:00:00+00:00",
    ]  # fmt: skip
    assert record.json()["record"]["sku"] == "S2"
    assert 'stocktide_catalog_imports_total{status="applied"} 2.0' in metrics


async def test_a_kill_while_a_file_is_being_sent_ends_with_all_of_it_sent(
    stack: Addresses, database: str, tmp_path: Path
) -> None:
    await fresh_topics(stack.kafka)
    count = 9_000
    content = "sku\n" + "".join(f"S{number}\n" for number in range(count))
    async with running(stack, database, tmp_path / "catalog.log") as (process, client):
        posting = asyncio.create_task(
            client.post("/v1/imports/product", content=content.encode(), timeout=60)
        )
        first = await heard(stack.kafka, 1)
        process.kill()
        await asyncio.gather(posting, return_exceptions=True)
        process.start()
        await until(lambda: _is_ready(client), seconds=60)
        told = await heard(stack.kafka, count)

    assert 0 < len(first) < count
    assert {one["sku"] for one in told} == {f"S{number}" for number in range(count)}


async def test_who_imports_from_elsewhere_shows_the_key(
    stack: Addresses, database: str, tmp_path: Path
) -> None:
    await fresh_topics(stack.kafka)
    secrets = {"STOCKTIDE_CATALOG_API_KEY": "a-key", "STOCKTIDE_CATALOG_FILE_BYTES_MAX": "2000"}
    async with running(stack, database, tmp_path / "catalog.log", **secrets) as (_, client):
        none = await client.post("/v1/imports/product", content=b"sku\nS1\n")
        wrong = await client.post(
            "/v1/imports/product", content=b"sku\nS1\n", headers={"Authorization": "Bearer b-key"}
        )
        client.headers["Authorization"] = "Bearer a-key"
        right = await client.post("/v1/imports/product", content=b"sku\nS1\n")
        large = await client.post("/v1/imports/product", content=b"sku\n" + b"S" * 2_000)
        kind = await client.post("/v1/imports/planet", content=b"sku\n")
        zone = await client.post("/v1/imports/product?zone=Mars/North", content=b"sku\n")

    assert [one.status_code for one in (none, wrong, right, large, kind, zone)] == [
        401, 401, 200, 413, 404, 422,
    ]  # fmt: skip
    assert "there are product" in kind.json()["detail"]


async def test_the_command_line_brings_a_file_in_and_tells_what_became_of_it(
    stack: Addresses, database: str, tmp_path: Path
) -> None:
    await fresh_topics(stack.kafka)
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text("sku;name\nS1;one\nS2;two\n")
    bad.write_text("sku,tracks_lots\nS3,perhaps\nS4,yes\n")
    data = tmp_path / "data"
    data.mkdir()
    _pretend_a_stack(data, stack)

    async with running(stack, database, tmp_path / "catalog.log") as (process, client):
        first = await asyncio.to_thread(stocktide, data, "import", "product", str(good), "--json")
        dry = await asyncio.to_thread(stocktide, data, "import", "product", str(bad), "--dry-run")
        refused = await asyncio.to_thread(stocktide, data, "import", "product", str(bad))
        part = await asyncio.to_thread(stocktide, data, "import", "product", str(bad), "--partial")
        missing = await asyncio.to_thread(stocktide, data, "import", "product", "nowhere.csv")
        kept = (await client.get("/v1/records/product")).json()["records"]
        await asyncio.to_thread(process.stop)
        away = await asyncio.to_thread(stocktide, data, "import", "product", str(good))

    assert (first[0], json.loads(first[1])["counts"]["new"]) == (0, 2)
    assert (dry[0], refused[0], part[0], missing[0], away[0]) == (2, 2, 2, 2, 3)
    assert "wrong_type" in refused[1]
    assert "Nothing has entered" in refused[1]
    assert "The other rows have entered" in part[1]
    assert "stocktide logs catalog" in away[1]
    assert [one["record"]["sku"] for one in kept] == ["S1", "S2", "S4"]


def _pretend_a_stack(folder: Path, addresses: Addresses) -> None:
    """As `stocktide up` writes it, with the catalog of this test."""
    providers = {"kafka": "given", "postgres": "given", "redis": "given"}
    state = StackState(
        kind="up", supervisor=own_record(), addresses=addresses,
        providers=providers,  # type: ignore[arg-type]  # the names of the three are enough here
        processes={"catalog": ProcessState(pid=None, port=PORT, restarts=0)},
    )  # fmt: skip
    write_state(folder, state)


def stocktide(data: Path, *arguments: str) -> tuple[int, str]:
    """Run the command; its status, and what it printed."""
    stdout, stderr = io.StringIO(), io.StringIO()
    with (
        patch.dict("os.environ", {"STOCKTIDE_DATA": str(data)}),
        patch("sys.argv", ["stocktide", *arguments]),
        chdir(data),
        redirect_stdout(stdout),
        redirect_stderr(stderr),
    ):
        status = main()
    return int(status), stdout.getvalue() + stderr.getvalue()
