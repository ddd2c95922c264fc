"""The ledger's HTTP: levels, terms that add up, parked messages and their replay."""

import random
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx
import pytest_asyncio

from shared.testing.messages import NOON, a_movement
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import open_counter


@pytest_asyncio.fixture(loop_scope="session")
async def http(ledger: LedgerBench) -> AsyncIterator[httpx.AsyncClient]:
    async with open_counter(ledger) as counter, counter.http() as client:
        yield client


async def test_explain_adds_up_to_every_account_of_a_random_history(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    rng = random.Random(3)
    kinds = ["receipt", "sale", "return", "pick", "count", "opening"]
    await ledger.move(
        *[
            a_movement(
                type=rng.choice(kinds), sku=rng.choice(["S1", "S2"]), quantity=rng.randint(1, 9),
                occurred_at=NOON + timedelta(minutes=rng.randint(-30, 30), seconds=n),
            )
            for n in range(200)
        ]
    )  # fmt: skip

    for sku in ("S1", "S2"):
        told = (await http.get(f"/v1/explain/{sku}")).json()
        book = await ledger.level(sku)
        sums: dict[str, int] = {}
        for term in told["levels"][0]["terms"]:
            sums[term["bucket"]] = sums.get(term["bucket"], 0) + term["quantity"]
            assert term["latest"]
        assert sums["sellable"] == book["sellable"]
        assert sums["picked"] == book["picked"]


async def test_explain_at_a_past_time_answers_from_what_was_recorded_by_then(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=5))
    then = (await ledger.ask("select max(recorded_at)::text as at from ledger.movements"))[0]["at"]
    await ledger.move(a_movement(type="sale", quantity=2))

    told = await http.get("/v1/explain/S1", params={"at": str(then).replace(" ", "T") + ":00"})

    assert [term["quantity"] for term in told.json()["levels"][0]["terms"]] == [5]


async def test_parked_messages_are_listed_shown_and_replayed(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    await ledger.move(a_movement(sku="NEW", quantity=2), a_movement(location="NOWHERE"))

    listed = (await http.get("/v1/parked")).json()
    assert listed["counts"] == {"unknown_sku": 1, "unknown_location": 1}

    parked_id = listed["parked"][0]["parked_id"]
    shown = (await http.get(f"/v1/parked/{parked_id}")).json()
    assert '"NEW"' in shown["value"]
    assert (await http.get("/v1/parked/999999")).status_code == 404

    await ledger.know(skus=["NEW"])
    replayed = (await http.post("/v1/parked:replay", json={"reason": "unknown_sku"})).json()
    assert replayed == {"replayed": 1}
    assert await ledger.sellable("NEW") == -2


async def test_a_message_that_is_refused_again_is_parked_again_under_its_reason(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    await ledger.move(a_movement(sku="NEW", location="NOWHERE"))
    await ledger.know(skus=["NEW"])

    assert (await http.post("/v1/parked:replay", json={})).json() == {"replayed": 1}

    assert await ledger.parked() == {"unknown_location": 1}


async def test_levels_are_read_and_republished(
    ledger: LedgerBench, http: httpx.AsyncClient
) -> None:
    await ledger.move(a_movement(type="receipt", quantity=5), a_movement(sku="S2"))
    await ledger.ask("delete from ledger.unpublished returning 1")

    levels = (await http.get("/v1/levels", params={"sku": ["S1", "S2"]})).json()["levels"]
    assert [(level["sku"], level["sellable"]) for level in levels] == [("S1", 5), ("S2", -1)]

    assert (await http.post("/v1/levels:republish")).status_code == 202
    rows = await ledger.ask("select sum(cardinality(keys))::int as n from ledger.unpublished")
    assert rows == [{"n": 2}]
