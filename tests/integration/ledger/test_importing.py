"""`stocktide import movements|counts` against a real broker and a real ledger."""

import asyncio
import json
import sys
from pathlib import Path

import pytest

from shared.postgres.connecting import connect
from shared.testing.processes import environment_of
from tests.integration.ledger.test_worker import Plant, plant

__all__ = ["plant"]  # a fixture
ROWS = 2_500  # more than go at once


async def stocktide(plant: Plant, *arguments: str) -> tuple[int, dict[str, object]]:
    """The command as its user starts it."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.cli.app", *arguments, "--json",
        env=environment_of(plant.addresses, postgres=plant.database),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    told, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, json.loads(told)


async def posted(plant: Plant) -> int:
    connection = await connect(plant.database, application="test")
    try:
        found: int = await connection.fetchval("select count(*) from ledger.movements")
    finally:
        await connection.close()
    return found


def receipts(folder: Path) -> str:
    rows = [f"receipt,S{n % 20},L{n % 2 + 1},1,2026-06-01T08:00:00Z" for n in range(ROWS)]
    path = folder / "receipts.csv"
    path.write_text("\n".join(["type,sku,location,quantity,occurred_at", *rows]))
    return str(path)


async def test_a_file_twice_is_its_movements_once(plant: Plant, tmp_path: Path) -> None:
    plant.worker()
    file = receipts(tmp_path)
    plant.sent = {f"r{n}": (f"S{n % 20}", f"L{n % 2 + 1}", 1) for n in range(ROWS)}

    once = await stocktide(plant, "import", "movements", file)
    twice = await stocktide(plant, "import", "movements", file)
    await plant.tell(
        "stock-movements-v1", "S0",
        {"type": "receipt", "sku": "S0", "location": "L1", "quantity": 1,
         "occurred_at": "2026-06-01T09:00:00Z"},
    )  # fmt: skip
    plant.sent["last"] = ("S0", "L1", 1)
    await plant.settled()

    assert [told["counts"] for _, told in (once, twice)] == [{"sent": ROWS, "refused": 0}] * 2
    assert await plant.book() == plant.expected()


async def test_counts_set_the_levels(plant: Plant, tmp_path: Path) -> None:
    plant.worker()
    path = tmp_path / "stock-take.csv"
    path.write_text("sku,quantity\nS0,7\nS1,0\n")
    plant.sent = {"S0": ("S0", "L1", 7), "S1": ("S1", "L1", 0)}

    status, _ = await stocktide(
        plant, "import", "counts", str(path), "--location", "L1", "--at", "2026-06-01T20:00:00Z"
    )
    await plant.settled()

    assert status == 0
    assert await plant.book() == plant.expected()


@pytest.mark.parametrize("partial", [False, True])
async def test_one_wrong_row_keeps_all_back_unless_the_others_may_go(
    plant: Plant, tmp_path: Path, partial: bool
) -> None:
    path = tmp_path / "day.csv"
    path.write_text(
        "type,sku,location,quantity,occurred_at\n"
        "receipt,S0,L1,3,2026-06-01T08:00:00Z\nreceipt,S0,L1,1.5,2026-06-01T08:00:00Z\n"
    )
    plant.worker()
    plant.sent = {"r": ("S0", "L1", 3)} if partial else {}

    status, told = await stocktide(
        plant, "import", "movements", str(path), *(["--partial"] if partial else [])
    )
    await plant.settled()

    assert (status, told["counts"]) == (2, {"sent": int(partial), "refused": 1})
    assert await posted(plant) == int(partial)
