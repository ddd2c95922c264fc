"""What is on order counts for what may be promised from its day on, and never for the figure."""

import asyncio
from datetime import datetime, timedelta

import pytest

from services.availability.handlers.keeping import forget_settled
from services.availability.handlers.promising import Promise, promise
from shared.contracts.topics import SUPPLY_ORDERS
from shared.kafka.batches import Fenced
from shared.testing.messages import NOON
from tests.integration.availability.bench import AvailabilityBench, a_level, a_policy
from tests.integration.availability.test_folding import a_line

# The database's own time decides what is overdue.
NOW = datetime.now(NOON.tzinfo)
SOON, LATER = NOW + timedelta(days=3), NOW + timedelta(days=9)


def a_supply(version: int, *lines: dict[str, object], **overrides: object) -> dict[str, object]:
    """A confirmed purchase order for L1, expected soon."""
    supply: dict[str, object] = {
        "supply_id": "P1", "type": "purchase_order", "state": "confirmed", "version": version,
        "to_location": "L1", "expected_at": SOON.isoformat(), "lines": list(lines),
    }  # fmt: skip
    return supply | overrides


def ten(**overrides: object) -> dict[str, object]:
    return {"line_id": "1", "sku": "S1", "ordered": 10} | overrides


async def asked(
    availability: AvailabilityBench, by: datetime = SOON, quantity: int | None = None,
    channel: str = "web", sku: str = "S1",
) -> Promise:  # fmt: skip
    found = await promise(availability.pool, sku, channel, by, quantity)
    assert found is not None
    return found


async def promised(availability: AvailabilityBench, by: datetime = SOON) -> int:
    return (await asked(availability, by))["available_to_promise"]


async def test_what_arrives_can_be_promised_from_its_day_on_and_is_not_sold_now(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 2))

    await availability.supply(a_supply(1, ten()))

    assert await availability.figure("S1") == 2
    assert await promised(availability, NOW) == 2
    assert await promised(availability, SOON - timedelta(seconds=1)) == 2
    assert await promised(availability, SOON) == 12
    assert (await asked(availability))["on_order"] == 10


@pytest.mark.parametrize(
    ("quantity", "expected"), [(2, "now"), (3, SOON), (12, SOON), (13, LATER), (33, None)]
)
async def test_so_many_can_be_promised_from_a_day_on(
    availability: AvailabilityBench, quantity: int, expected: datetime | str | None
) -> None:
    await availability.levels(a_level("S1", "L1", 2))
    await availability.supply(
        a_supply(1, ten(), ten(line_id="2", ordered=20, expected_at=LATER.isoformat()))
    )

    found = await asked(availability, quantity=quantity)

    assert found["earliest"] == (found["at"] if expected == "now" else expected)


async def test_what_is_accepted_for_later_takes_of_what_arrives(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 0))
    await availability.supply(a_supply(1, ten()))

    await availability.allocate(a_line(1, 0, dated=4, requested_for=LATER.isoformat()))

    assert await promised(availability, SOON) == 6


async def test_owed_units_and_buffers_are_served_before_anything_can_be_promised(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(a_policy("p", "location_buffer", 3))
    await availability.levels(a_level("S1", "L1", 1, allocated=3))  # 2 are owed

    await availability.supply(a_supply(1, ten()))

    assert await promised(availability, SOON) == 10 + 1 - 3 - 3


@pytest.mark.parametrize(
    ("told", "line", "left"),
    [
        ({}, {"confirmed": 6}, 6),
        ({}, {"received": 4}, 6),
        ({}, {"received": 4, "rejected": 3}, 3),
        ({}, {"cancelled": 10}, 0),
        ({}, {"received": 14}, 0),
        ({"state": "closed"}, {}, 0),
        ({"state": "cancelled"}, {}, 0),
        ({"state": "draft"}, {}, 0),
        ({"state": "sent"}, {}, 0),
        ({"state": "sent"}, {"confirmed": 7}, 7),
        ({"expected_at": None}, {}, 0),
        ({"expected_at": None, "promised_at": SOON.isoformat()}, {}, 10),
        ({"expected_at": (NOW - timedelta(hours=1)).isoformat()}, {}, 0),
        ({"to_location": "L9"}, {}, 0),
        ({"type": "transfer_order", "from_location": "L2"}, {}, 0),
        ({"type": "transfer_order", "from_location": "L2"}, {"dispatched": 8, "received": 1}, 7),
        ({"type": "supplier_return", "from_location": "L1", "to_location": None}, {}, 0),
    ],
)
async def test_nothing_is_promised_but_what_is_confirmed_dated_and_still_to_come(
    availability: AvailabilityBench,
    told: dict[str, object],
    line: dict[str, object],
    left: int,
) -> None:
    await availability.levels(a_level("S1", "L1", 5))

    await availability.supply(a_supply(1, ten(**line), **told))

    assert await promised(availability, SOON) == 5 + left


async def test_why_nothing_can_be_promised_of_it_is_told(availability: AvailabilityBench) -> None:
    await availability.levels(a_level("S1", "L1", 5))
    past = (NOW - timedelta(days=1)).isoformat()
    await availability.supply(
        a_supply(1, ten(), ten(line_id="2", expected_at=past)),
        a_supply(1, ten(), supply_id="P2", to_location="L9"),
        a_supply(1, ten(), supply_id="P3", state="sent"),
        a_supply(1, ten(), supply_id="P4", expected_at=None),
    )

    found = await asked(availability)

    whys = {f"{a['supply_id']}/{a['line_id']}": a["why_not"] for a in found["arrivals"]}
    assert whys == {
        "P1/1": None, "P1/2": "overdue", "P2/1": "elsewhere", "P3/1": "unconfirmed",
        "P4/1": "undated",
    }  # fmt: skip
    assert found["on_order"] == 50


async def test_the_latest_state_counts_in_any_order_and_totals_never_fall(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 0))
    await availability.supply(a_supply(2, ten(received=4)))

    await availability.supply(a_supply(1, ten(ordered=99)))
    assert await promised(availability) == 6
    await availability.supply(a_supply(3, ten(ordered=12)))  # forgets what has been received
    assert await promised(availability) == 8
    await availability.supply(a_supply(4, ten(line_id="2", ordered=1)))  # names line 1 no more

    assert await promised(availability) == 1


async def test_of_one_batch_the_latest_state_counts(availability: AvailabilityBench) -> None:
    await availability.levels(a_level("S1", "L1", 0))

    await availability.supply(a_supply(2, ten(received=4)), a_supply(1, ten()))

    assert await promised(availability) == 6


async def test_a_kit_can_be_promised_when_its_parts_arrive(
    availability: AvailabilityBench,
) -> None:
    kit = {
        "kind": "product", "sku": "K", "revision": 1,
        "kit": [{"sku": "S1", "quantity": 2}, {"sku": "S2", "quantity": 1}],
    }  # fmt: skip
    await availability.refer(kit)
    await availability.levels(a_level("S1", "L1", 1), a_level("S2", "L1", 3))

    await availability.supply(a_supply(1, ten(ordered=4)))

    assert (await asked(availability, NOW, sku="K"))["available_to_promise"] == 0
    assert (await asked(availability, SOON, sku="K"))["available_to_promise"] == 2


async def test_a_supply_order_that_cannot_be_read_is_parked_and_holds_nobody_up(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 0))

    await availability.supply(b'{"supply_id": "P0"}', a_supply(1, ten()))

    assert await availability.parked_open() == {"invalid": 1}
    assert await promised(availability) == 10


async def test_a_batch_of_an_owner_that_lost_its_partition_changes_nothing(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 0))
    await availability.supply(a_supply(1, ten()))
    await availability.positions.claim(SUPPLY_ORDERS.name, availability.partition, first_offset=0)

    with pytest.raises(Fenced):
        await availability.supply(a_supply(2, ten(cancelled=10)))

    assert await promised(availability) == 10


async def test_a_parked_supply_order_counts_once_it_is_replayed(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 0))
    await availability.supply(b"{}")
    await availability.pool.execute(
        "update availability.parked set value = $1",
        str(a_supply(1, ten())).replace("'", '"').encode(),
    )

    ids = [r[0] for r in await availability.pool.fetch("select parked_id from availability.parked")]
    assert await availability.handler.replay(availability.pool, ids) == 1

    assert await promised(availability) == 10
    assert await availability.parked_open() == {}


async def test_orders_that_are_over_are_forgotten_after_a_while(
    availability: AvailabilityBench,
) -> None:
    await availability.supply(
        a_supply(1, ten()), a_supply(1, ten(), supply_id="P2", state="closed")
    )
    closing = asyncio.Event()

    assert await forget_settled(availability.pool, availability.clock, closing) == 0
    await availability.pool.execute(
        "update availability.supply_orders set changed_at = $1", NOON - timedelta(days=8)
    )

    assert await forget_settled(availability.pool, availability.clock, closing) == 1
    rows = await availability.pool.fetch("select supply_id from availability.supply_orders")
    assert [row[0] for row in rows] == ["P1"]
