"""The command line on a running stack: what is parked and goes back, and a past moment's answer."""

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import Any

import httpx

from shared.contracts.accounts import MovementType
from shared.contracts.movements import StockMovement
from shared.runtime.clock import SystemClock
from tests.e2e.conftest import KEYS, Chain

UNKNOWN = "medlar"


async def stocktide(chain: Chain, *arguments: str) -> str:
    """What the command prints, started as its user starts it."""
    folder = chain.stack.plan.folder
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.app", *arguments,
        env={**os.environ, **KEYS, "STOCKTIDE_DATA": str(folder), "STOCKTIDE_LANGUAGE": "en"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, wrong = await process.communicate()
    assert process.returncode == 0, (told, wrong)
    return told.decode()


async def answered(chain: Chain, *arguments: str) -> Any:
    """The same with `--json`."""
    return json.loads(await stocktide(chain, *arguments, "--json"))


def _sellable(explained: Any, location: str) -> int:
    levels = {level["location"]: level["sellable"] for level in explained["ledger"]["levels"]}
    found: int = levels[location]
    return found


def _figure(explained: Any) -> int:
    found: int = explained["availability"]["channels"]["woocommerce"]["available_to_sell"]
    return found


async def test_what_is_parked_is_listed_shown_and_brought_back(chain: Chain) -> None:
    now = SystemClock().now()
    receipt = StockMovement(
        type=MovementType.RECEIPT, sku=UNKNOWN, location="store-1", quantity=3, occurred_at=now
    )
    await chain.sender.openings([receipt], now)
    await chain.rest()

    listed = await answered(chain, "parked", "list", "--reason", "unknown_sku")
    assert listed["silent"] == {}  # services that want a key are given it
    assert "catalog" in listed["services"]
    (one,) = listed["services"]["ledger"]["parked"]
    told = f"ledger:{one['parked_id']}"

    shown = await answered(chain, "parked", "show", told)
    again = await stocktide(chain, "parked", "replay", told)

    assert (shown["service"], shown["reason"]) == ("ledger", "unknown_sku")
    assert UNKNOWN in json.dumps(shown)
    assert f"{told}: parked again as unknown_sku" in again
    assert (await answered(chain, "parked", "list"))["services"]["ledger"]["counts"] == {
        "unknown_sku": 1
    }


async def test_why_is_it_that_many_at_a_past_moment(chain: Chain) -> None:
    moment = SystemClock().now()
    await asyncio.sleep(0.01)
    await chain.sell("pear", "store-2", 1, basket=201)
    await chain.rest()

    before = await answered(chain, "stock", "explain", "pear", "--at", moment.isoformat())
    after = await answered(chain, "stock", "explain", "pear")
    early = moment - timedelta(days=1)
    unopened = await answered(chain, "stock", "explain", "pear", "--at", early.isoformat())

    assert _sellable(before, "store-2") == _sellable(after, "store-2") + 1
    assert _figure(before) == _figure(after) + 1
    assert _sellable(unopened, "store-2") == 0


async def test_what_is_held_is_listed_shown_and_given_back(chain: Chain) -> None:
    asked = {
        "hold_id": "h-asking", "purpose": "in_store",
        "lines": [{"sku": "plum", "quantity": 1, "locations": ["store-1"]}],
        "beneficiary": {"customer_ref": "c_0011223344556677"},
    }  # fmt: skip
    url = f"http://127.0.0.1:{chain.stack.ports['ledger-api']}/v1/holds"
    async with httpx.AsyncClient(trust_env=False) as http:
        answer = await http.post(url, json=asked)
    assert answer.status_code == 201, answer.text

    listed = (await answered(chain, "holds", "list", "--location", "store-1"))["holds"]
    overdue = await answered(chain, "holds", "list", "--overdue")
    table = await stocktide(chain, "holds", "list", "--location", "store-1")
    shown = await stocktide(chain, "holds", "show", "h-asking")
    told = await stocktide(chain, "holds", "release", "h-asking")

    assert [(one["hold_id"], one["quantity"]) for one in listed] == [("h-asking", 1)]
    assert overdue == {"holds": []}
    assert [part for part in ("h-asking", "in_store", "c_00112233") if part not in table] == []
    assert "store-1 1" in shown
    assert "h-asking: released" in told
    assert await answered(chain, "holds", "list", "--location", "store-1") == {"holds": []}
