"""The simulated marketplace: its frequency contract, its imports, its orders."""

from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from services.simulators.mirakl import KEY, MiraklSimulator
from services.simulators.mirakl.frequency import Frequencies

IMPORTS = "/api/offers/stock/imports"
HEADER = '"offer-sku";"quantity";"warehouse-code";"update-delete"\n'
NOON_US = 1_780_000_000_000_000


class Clock:
    """The marketplace's clock, moved by hand."""

    def __init__(self) -> None:
        self.us = NOON_US

    def __call__(self) -> int:
        return self.us

    def wait(self, seconds: float) -> None:
        self.us += round(seconds * 1e6)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def simulator(clock: Clock) -> MiraklSimulator:
    made = MiraklSimulator(now_us=clock)
    made.stock(150, 5)
    return made


@pytest_asyncio.fixture(loop_scope="session")
async def client(simulator: MiraklSimulator) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app=simulator.app)
    headers = {"Authorization": KEY}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://marketplace", headers=headers
    ) as made:
        yield made


async def send(client: httpx.AsyncClient, *lines: str) -> httpx.Response:
    """STO01."""
    text = HEADER + "".join(f"{line}\n" for line in lines)
    return await client.post(IMPORTS, files={"file": ("stock.csv", text.encode())})


async def buy(client: httpx.AsyncClient, *lines: tuple[str, int]) -> httpx.Response:
    """A customer's order."""
    body = {"lines": [{"offer_sku": sku, "quantity": quantity} for sku, quantity in lines]}
    return await client.post("/storefront/orders", json=body)


async def listed(client: httpx.AsyncClient, **query: str) -> dict[str, Any]:
    """OR11."""
    answer = await client.get("/api/orders", params=query)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


@pytest.mark.parametrize("authorization", ["", f"Bearer {KEY}", "another-key", "é"])
async def test_only_the_bare_key_opens(client: httpx.AsyncClient, authorization: str) -> None:
    answer = await client.get("/api/offers", headers={b"Authorization": authorization.encode()})

    assert answer.status_code == 401
    assert answer.json() == {"status": 401, "message": "Unauthorized"}


async def test_another_shop_is_not_ours(client: httpx.AsyncClient) -> None:
    ours = await client.get("/api/offers?shop_id=2001")
    theirs = await client.get("/api/offers?shop_id=2002")

    assert (ours.status_code, theirs.status_code) == (200, 403)


@pytest.mark.parametrize(
    ("operation", "path", "seconds"),
    [
        pytest.param("STO02", f"{IMPORTS}/1001/status", 15, id="a_status_each_15_seconds"),
        pytest.param("STO03", f"{IMPORTS}/1001/error_report", 60, id="a_report_a_minute"),
        pytest.param("OR11", "/api/orders", 60, id="a_list_of_orders_a_minute"),
    ],
)
async def test_a_call_before_its_time_is_refused_and_written_down(
    client: httpx.AsyncClient, clock: Clock, operation: str, path: str, seconds: int
) -> None:
    await send(client, '"SKU-1";"4";"";""', '"SKU-999";"4";"";""')
    clock.wait(100)

    first = await client.get(path)
    clock.wait(seconds - 0.5)
    early = await client.get(path)
    clock.wait(0.5)
    in_time = await client.get(path)

    assert [a.status_code for a in (first, early, in_time)] == [200, 429, 200]
    told = (await client.get("/_control/violations")).json()
    assert told["counts"] == {operation: 1}
    assert told["violations"] == [
        {"operation": operation, "at_us": clock.us - 500_000, "early_seconds": 0.5}
    ]


async def test_two_imports_in_a_minute_are_one_too_many(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    answers = [await send(client, '"SKU-1";"4";"";""') for _ in range(2)]
    clock.wait(60)
    answers.append(await send(client, '"SKU-1";"3";"";""'))

    assert [a.status_code for a in answers] == [201, 429, 201]
    assert [a.json().get("import_id") for a in answers] == ["1001", None, "1002"]
    assert simulator.frequencies.counts == {"STO01": 1}


async def test_a_faster_marketplace_keeps_the_same_contract(clock: Clock) -> None:
    simulator = MiraklSimulator(now_us=clock, speed=60)

    waits = []
    for seconds in (0.0, 0.9, 0.1):
        clock.wait(seconds)
        waits.append(simulator.frequencies.early_seconds("STO01", clock.us))

    assert waits == [0.0, pytest.approx(0.1), 0.0]


async def test_an_import_waits_and_runs_before_it_counts(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    made = await send(client, '"SKU-1";"9";"";""', '"SKU-2";"8";"";"update"')
    import_id = made.json()["import_id"]
    assert made.headers["Location"] == f"{IMPORTS}/{import_id}/status"

    seen = []
    for seconds in (0, 15, 15):
        clock.wait(seconds)
        told = (await client.get(f"{IMPORTS}/{import_id}/status")).json()
        seen.append((told["status"], simulator.marketplace.offers["SKU-1"].quantity))

    assert seen == [("WAITING", 5), ("RUNNING", 5), ("COMPLETE", 9)]
    assert (told["lines_in_success"], told["lines_in_error"]) == (2, 0)
    assert told["has_error_report"] is False
    written = (await client.get("/_control/calls")).json()["calls"]
    assert [row[1:] for row in written] == [[1, 9], [2, 8]]
    assert NOON_US + 15_000_000 <= written[0][0] <= NOON_US + 15_100_000


async def test_imports_run_one_after_the_other(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    simulator.frequencies = Frequencies(1e9)  # only the queue matters here
    first, second = await send(client, '"SKU-1";"9";"";""'), await send(client, '"SKU-1";"2";"";""')
    clock.wait(16)

    told = [
        (await client.get(f"{IMPORTS}/{made.json()['import_id']}/status")).json()["status"]
        for made in (first, second)
    ]
    clock.wait(16)
    await client.get("/_control/health")

    assert told == ["COMPLETE", "RUNNING"]
    assert simulator.marketplace.offers["SKU-1"].quantity == 2


async def test_the_report_names_the_lines_in_error(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    simulator.faults.set([{"kind": "bad_entry", "entry": 3}])
    await send(
        client, '"SKU-1";"9";"";""', '"SKU-999";"1";"";""', '"SKU-2";"-1";"";""',
        '"SKU-3";"1";"";""', '"SKU-4";"1"', '"SKU-5";"1";"";"delete"', '"SKU-6";"3000000000";"";""',
    )  # fmt: skip
    clock.wait(20)

    told = (await client.get(f"{IMPORTS}/1001/status")).json()
    report = (await client.get(f"{IMPORTS}/1001/error_report")).text

    assert (told["status"], told["lines_in_success"], told["lines_in_error"]) == ("COMPLETE", 1, 6)
    rows = [line.split(";") for line in report.splitlines()]
    assert [row[0] for row in rows[1:]] == ['"3"', '"4"', '"5"', '"6"', '"7"', '"8"']
    assert rows[1] == ['"3"', '"The offer does not exist"', '"SKU-999"', '"1"', '""', '""']


async def test_an_import_that_fails_changes_nothing(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    await client.put("/_control/imports", json={"failing": 1})
    await send(client, '"SKU-1";"9";"";""')
    clock.wait(60)

    told = (await client.get(f"{IMPORTS}/1001/status")).json()
    again = await send(client, '"SKU-1";"9";"";""')

    assert told["status"] == "FAILED"
    assert simulator.marketplace.offers["SKU-1"].quantity == 5
    assert again.status_code == 201
    assert simulator.imports.failing == 0


@pytest.mark.parametrize(
    "files",
    [
        pytest.param({"file": ("f", b'"sku";"quantity"\n')}, id="other_columns"),
        pytest.param({"file": ("f", b"")}, id="nothing"),
        pytest.param({"other": ("f", HEADER.encode())}, id="another_name"),
        pytest.param({"file": ("f", b"\xff\xfe")}, id="no_text"),
    ],
)
async def test_a_file_of_another_kind_is_refused(
    client: httpx.AsyncClient, files: dict[str, tuple[str, bytes]]
) -> None:
    answer = await client.post(IMPORTS, files=files)

    assert answer.status_code == 400


async def test_imports_that_nobody_made_are_not_found(
    client: httpx.AsyncClient, clock: Clock
) -> None:
    await send(client, '"SKU-1";"9";"";""')
    clock.wait(60)

    answers = [
        await client.get(f"{IMPORTS}/7/status"),
        await client.get(f"{IMPORTS}/1001/error_report"),
    ]

    assert [a.status_code for a in answers] == [404, 404]


async def test_customers_buy_what_is_shown_and_no_more(client: httpx.AsyncClient) -> None:
    bought = await buy(client, ("SKU-1", 3), ("SKU-2", 1))
    beyond = await buy(client, ("SKU-1", 2), ("SKU-1", 1))
    unknown = await buy(client, ("SKU-999", 1))
    senseless = [await buy(client), await buy(client, ("SKU-1", 0))]

    assert bought.status_code == 201
    assert bought.json()["order_state"] == "WAITING_ACCEPTANCE"
    assert beyond.status_code == 409
    assert unknown.status_code == 404
    assert [a.status_code for a in senseless] == [400, 400]
    page = (await client.get("/storefront/offers?page=1")).json()
    assert page["offers"][:3] == [
        {"offer_sku": "SKU-1", "quantity": 2}, {"offer_sku": "SKU-2", "quantity": 4},
        {"offer_sku": "SKU-3", "quantity": 5},
    ]  # fmt: skip
    assert (page["pages"], len(page["offers"])) == (2, 100)


async def test_an_order_is_accepted_shipped_and_paid_back(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    order_id = (await buy(client, ("SKU-1", 2), ("SKU-2", 1), ("SKU-3", 3))).json()["order_id"]
    one, two, three = (f"{order_id}-{place}" for place in (1, 2, 3))
    order = f"/api/orders/{order_id}"

    clock.wait(1)
    decisions = [{"id": one, "accepted": True}, {"id": two, "accepted": False}]
    missing = await client.put(f"{order}/accept", json={"order_lines": decisions})
    decisions.append({"id": three, "accepted": True})
    accepted = await client.put(f"{order}/accept", json={"order_lines": decisions})
    twice = await client.put(f"{order}/accept", json={"order_lines": decisions})
    refund = {"refunds": [{"order_line_id": three, "quantity": 1}]}
    refunded = await client.put("/api/orders/refund", json=refund)
    clock.wait(1)
    shipped = await client.put(f"{order}/ship")
    late = await client.put(f"{order}/cancel")

    assert [a.status_code for a in (missing, accepted, twice)] == [400, 204, 400]
    assert "ORDER_INVALID_STATE" in twice.json()["message"]
    assert [a.status_code for a in (refunded, shipped, late)] == [200, 204, 400]
    (told,) = (await listed(client))["orders"]
    lines = [(x["order_line_state"], x["quantity"], x["shipped_date"]) for x in told["order_lines"]]
    assert told["order_state"] == "SHIPPED"
    assert told["last_updated_date"] == "2026-05-28T20:26:42.000Z"
    assert lines == [
        ("SHIPPED", 2, "2026-05-28T20:26:42.000Z"), ("REFUSED", 1, None),
        ("SHIPPED", 3, "2026-05-28T20:26:42.000Z"),
    ]  # fmt: skip
    assert told["order_lines"][2]["refunds"][0]["quantity"] == 1
    left = {sku: simulator.marketplace.offers[sku].quantity for sku in ("SKU-1", "SKU-2", "SKU-3")}
    assert left == {"SKU-1": 3, "SKU-2": 5, "SKU-3": 3}


async def test_a_cancelled_order_gives_its_units_back_once(
    client: httpx.AsyncClient, simulator: MiraklSimulator
) -> None:
    order_id = (await buy(client, ("SKU-1", 2))).json()["order_id"]

    first = await client.put(f"/storefront/orders/{order_id}/cancel")
    second = await client.put(f"/storefront/orders/{order_id}/cancel")

    assert [first.status_code, second.status_code] == [200, 400]
    assert simulator.marketplace.offers["SKU-1"].quantity == 5
    seen = (await client.get(f"/storefront/orders/{order_id}")).json()
    assert seen["order_state"] == "CANCELED"


async def test_an_order_refunded_to_the_last_unit_is_closed(
    client: httpx.AsyncClient, simulator: MiraklSimulator
) -> None:
    await client.put("/_control/operator", json={"accepts": True})
    order_id = (await buy(client, ("SKU-1", 2))).json()["order_id"]
    refund = {"refunds": [{"order_line_id": f"{order_id}-1", "quantity": 2}]}

    first = await client.put("/api/orders/refund", json=refund)
    again = await client.put("/api/orders/refund", json=refund)

    assert [first.status_code, again.status_code] == [200, 400]
    (told,) = (await listed(client))["orders"]
    assert (told["order_state"], told["order_lines"][0]["order_line_state"]) == (
        "CLOSED", "REFUNDED",
    )  # fmt: skip
    assert simulator.marketplace.offers["SKU-1"].quantity == 5


async def test_orders_are_listed_by_creation_in_pages_that_belong_together(
    client: httpx.AsyncClient, clock: Clock, simulator: MiraklSimulator
) -> None:
    for _ in range(5):
        await buy(client, ("SKU-1", 1))
        clock.wait(1)
    simulator.marketplace.cancel(simulator.marketplace.orders["SIM_000002-A"], clock())
    query = {"start_update_date": "2026-05-28T20:26:42.000Z", "max": "2"}

    pages = [await listed(client, **query, offset=str(offset)) for offset in (0, 2, 4)]
    other = await client.get("/api/orders", params={"max": "2", "offset": "2"})

    found = [[order["order_id"] for order in page["orders"]] for page in pages]
    assert found == [
        ["SIM_000002-A", "SIM_000003-A"], ["SIM_000004-A", "SIM_000005-A"], [],
    ]  # fmt: skip
    assert {page["total_count"] for page in pages} == {4}
    assert other.status_code == 429
    clock.wait(60)
    waiting = await listed(client, order_state_codes="CANCELED,REFUSED", max="100")
    assert [order["order_id"] for order in waiting["orders"]] == ["SIM_000002-A"]
    assert (await client.get("/api/orders?max=101")).status_code == 400


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "throttle", "seconds": 7}, 429),
        ({"kind": "error"}, 500),
        ({"kind": "unavailable"}, 503),
        ({"kind": "nonsense"}, 200),
        ({"kind": "hang"}, 504),
        ({"kind": "lost_answer"}, 502),
        ({"kind": "latency"}, 200),
    ],
)
async def test_faults_are_ordered_for_the_sellers_side_alone(
    client: httpx.AsyncClient, fault: dict[str, Any], status: int
) -> None:
    await client.put("/_control/faults", json={"faults": [{"calls": 1, **fault}]})

    store = await client.get("/storefront/offers")
    seller = await client.get("/api/offers?sku=SKU-7")
    after = await client.get("/api/offers?sku=SKU-7")

    assert store.status_code == 200
    assert seller.status_code == status
    assert [offer["offer_id"] for offer in after.json()["offers"]] == [7]
