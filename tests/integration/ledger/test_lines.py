"""Order lines: wanted states in any order, booked where they can be served."""

import pytest

from services.ledger.repository.publishing import LedgerStates
from shared.contracts.allocations import Allocation
from shared.testing.messages import a_movement
from tests.integration.ledger.bench import LedgerBench


def receipt(quantity: int, location: str = "L1") -> dict[str, object]:
    return a_movement(type="receipt", quantity=quantity, location=location)


def shipment(order: str, quantity: int, location: str = "L1") -> dict[str, object]:
    return a_movement(
        type="shipment", quantity=quantity, location=location,
        order_line={"order_id": order, "line_id": "1"},
    )  # fmt: skip


async def line(ledger: LedgerBench, order: str = "O1") -> dict[str, object]:
    rows = await ledger.ask(
        "select wanted, shipped, short, unsourced from ledger.order_lines where order_id = $1",
        order,
    )
    return rows[0]


async def test_a_line_is_booked_at_the_first_candidate_that_serves_it_whole(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(1, "L1"), receipt(5, "L2"))
    await ledger.command({"order_id": "O1", "wanted": 3, "candidates": ["L1", "L2"]})

    assert (await ledger.level("S1", "L1"))["allocated"] == 0
    assert (await ledger.level("S1", "L2"))["allocated"] == 3


async def test_split_10_plus_3(ledger: LedgerBench) -> None:
    await ledger.move(receipt(10, "L1"), receipt(5, "L2"))
    await ledger.command(
        {"order_id": "O1", "wanted": 13, "candidates": ["L1", "L2"], "may_split": True}
    )

    assert (await ledger.level("S1", "L1"))["allocated"] == 10
    assert (await ledger.level("S1", "L2"))["allocated"] == 3
    assert (await line(ledger))["short"] == 0


async def test_what_nobody_can_serve_is_short_at_the_first_candidate_and_in_the_book(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(1, "L1"))
    await ledger.command({"order_id": "O1", "wanted": 3, "candidates": ["L1", "L2"]})

    assert (await ledger.level("S1", "L1"))["allocated"] == 3
    assert (await line(ledger))["short"] == 2


async def test_a_line_without_candidates_is_unsourced_until_it_has_one(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 2, "candidates": []})
    assert (await line(ledger))["unsourced"] == 2

    await ledger.command({"order_id": "O1", "wanted": 2, "revision": 2})

    assert (await line(ledger))["unsourced"] == 0
    assert (await ledger.level())["allocated"] == 2


async def test_a_receipt_serves_short_lines_oldest_first(ledger: LedgerBench) -> None:
    await ledger.command(
        {"order_id": "young", "wanted": 1, "ordered_at": "2026-06-01T11:00:00Z"},
        {"order_id": "old", "wanted": 1, "ordered_at": "2026-06-01T10:00:00Z"},
    )

    await ledger.move(receipt(1))

    assert (await line(ledger, "old"))["short"] == 0
    assert (await line(ledger, "young"))["short"] == 1


@pytest.mark.parametrize("shipped_first", [True, False])
async def test_only_a_shipment_consumes_whatever_comes_first(
    ledger: LedgerBench, shipped_first: bool
) -> None:
    await ledger.move(receipt(5))
    command = {"order_id": "O1", "wanted": 3}
    if shipped_first:
        await ledger.move(shipment("O1", 2))
        await ledger.command(command)
    else:
        await ledger.command(command)
        await ledger.move(shipment("O1", 2))

    assert await ledger.level() == {"sellable": 3, "reserved": 0, "allocated": 1}
    assert await line(ledger) == {"wanted": 3, "shipped": 2, "short": 0, "unsourced": 0}


async def test_a_shipment_from_elsewhere_consumes_the_allocation_wherever_it_was(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(5, "L1"), receipt(5, "L2"))
    await ledger.command({"order_id": "O1", "wanted": 2, "candidates": ["L1"]})

    await ledger.move(shipment("O1", 2, "L2"))

    assert await ledger.level("S1", "L1") == {"sellable": 5, "reserved": 0, "allocated": 0}
    assert await ledger.level("S1", "L2") == {"sellable": 3, "reserved": 0, "allocated": 0}


def picked(order: str, quantity: int) -> dict[str, object]:
    return a_movement(
        type="pick", quantity=quantity, order_line={"order_id": order, "line_id": "1"}
    )


def from_bench(movement: dict[str, object]) -> dict[str, object]:
    return movement | {"from": {"bucket": "picked"}}


async def test_a_pick_takes_the_units_once_and_the_parcel_ships_what_was_picked(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 2})

    await ledger.move(picked("O1", 2))
    found = await ledger.level()
    assert (found["sellable"], found["allocated"], found["picked"]) == (3, 0, 2)
    assert await told(ledger, "O1") == (2, 0, 2, ())

    await ledger.move(from_bench(shipment("O1", 1)))
    assert await told(ledger, "O1") == (2, 1, 1, ())
    await ledger.move(from_bench(shipment("O1", 1) | {"ce_id": "second"}))
    assert await told(ledger, "O1") == (2, 2, 0, ())
    assert (await ledger.level()) == {"sellable": 3, "reserved": 0, "allocated": 0}


async def test_a_shipment_off_the_shelf_leaves_what_was_picked_for_its_line(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 3})

    await ledger.move(picked("O1", 1), shipment("O1", 1))

    assert await told(ledger, "O1") == (3, 1, 1, (("L1", 1),))


async def test_a_cancelled_pick_books_the_line_again(ledger: LedgerBench) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 2})
    await ledger.move(picked("O1", 2) | {"ce_id": "pick"})

    named = {"occurred_at": "2026-06-01T12:00:00Z", "id": "pick"}
    await ledger.move(a_movement(type="pick", quantity=2, reverses=named, ce_id="void"))

    assert await told(ledger, "O1") == (2, 0, 0, (("L1", 2),))
    assert await ledger.sellable() == 5


async def told(
    ledger: LedgerBench, order: str
) -> tuple[int, int, int, tuple[tuple[str, int], ...]]:
    """wanted, shipped, picked and allocated, as the line's message has them."""
    rows = await ledger.ask(
        "select order_line_id from ledger.order_lines where order_id = $1", order
    )
    keys = {("line", int(str(row["order_line_id"]))) for row in rows}
    [message] = await LedgerStates(ledger.pool).latest(keys)
    line = Allocation.decode(message.value)
    places = tuple((one.location, one.quantity) for one in line.allocated)
    return line.wanted, line.shipped, line.picked, places


async def test_a_shipment_told_twice_consumes_once(ledger: LedgerBench) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 3})
    parcel = shipment("O1", 1) | {"ce_id": "parcel"}

    await ledger.move(parcel, parcel)
    await ledger.move(parcel)

    assert await ledger.level() == {"sellable": 4, "reserved": 0, "allocated": 2}


async def test_an_older_revision_changes_nothing(ledger: LedgerBench) -> None:
    await ledger.move(receipt(5))
    await ledger.command({"order_id": "O1", "wanted": 0, "revision": 2})
    await ledger.command({"order_id": "O1", "wanted": 3, "revision": 1})

    assert (await ledger.level())["allocated"] == 0


async def test_a_cancelled_line_gives_its_units_to_the_next_short_one(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(1))
    await ledger.command({"order_id": "O1", "wanted": 1}, {"order_id": "O2", "wanted": 1})
    assert (await line(ledger, "O2"))["short"] == 1

    await ledger.command({"order_id": "O1", "wanted": 0, "revision": 2})

    assert (await line(ledger, "O2"))["short"] == 0
    assert (await ledger.level())["allocated"] == 1


async def test_allocated_is_the_sum_of_what_lines_claim(ledger: LedgerBench) -> None:
    await ledger.move(receipt(7, "L1"), receipt(2, "L2"))
    for n in range(8):
        await ledger.command(
            {"order_id": f"O{n}", "wanted": n % 4, "candidates": ["L2", "L1"], "may_split": True}
        )
    await ledger.move(shipment("O3", 2), shipment("O7", 1), shipment("O2", 5))

    claimed = await ledger.ask(
        "select coalesce(sum(greatest(0, wanted - shipped) - unsourced), 0)::int as n"
        " from ledger.order_lines"
    )
    allocated = await ledger.ask("select sum(allocated)::int as n from ledger.levels")
    booked = await ledger.ask("select coalesce(sum(quantity), 0)::int as n from ledger.allocations")
    assert claimed == allocated == booked


async def test_a_line_that_changes_its_sku_moves_its_claim_and_its_name(
    ledger: LedgerBench,
) -> None:
    await ledger.move(receipt(5), a_movement(type="receipt", quantity=1, sku="S2"))
    await ledger.command({"order_id": "O1", "wanted": 2})

    await ledger.command(
        {"order_id": "O1", "wanted": 0, "revision": 2},
        {"order_id": "O1", "wanted": 3, "revision": 3, "sku": "S2"},
    )

    assert (await ledger.level("S1"))["allocated"] == 0
    assert (await ledger.level("S2"))["allocated"] == 3
    await ledger.move(a_movement(type="receipt", quantity=2, sku="S2", ce_id="more"))
    assert (await line(ledger))["short"] == 0


async def test_a_candidate_that_becomes_known_later_is_not_lost(ledger: LedgerBench) -> None:
    await ledger.command({"order_id": "O1", "wanted": 2, "candidates": ["NEW"]})
    assert (await line(ledger))["unsourced"] == 2
    assert await ledger.parked() == {"unknown_location": 1}

    await ledger.know(locations=["NEW"])
    rows = await ledger.ask("select parked_id from ledger.parked")
    await ledger.handler.replay([int(str(rows[0]["parked_id"]))])

    assert (await line(ledger))["unsourced"] == 0
    assert (await ledger.level("S1", "NEW"))["allocated"] == 2
    assert await ledger.parked() == {}
