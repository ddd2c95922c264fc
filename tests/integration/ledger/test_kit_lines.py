"""Order lines of kits: booked in parts under the ledger's locks, told in whole kits."""

import asyncio
import json
from datetime import timedelta

import asyncpg
import pytest

from services.ledger.repository.publishing import LedgerStates
from shared.contracts.topics import ALLOCATIONS, STOCK_COMMANDS
from shared.testing.messages import NOON, FakeMessage, a_batch, a_message, a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench

KIT = [{"sku": "LAMP", "quantity": 2}, {"sku": "BULB", "quantity": 1}]
MARCH = NOON + timedelta(days=90)


@pytest.fixture
def known_skus() -> list[str]:
    return ["DUO", "TRIO", "LAMP", "BULB", "S1"]


def a_receipt(sku: str, quantity: int, location: str = "L1") -> dict[str, object]:
    return a_movement(type="receipt", sku=sku, quantity=quantity, location=location)


def a_shipment(
    sku: str, quantity: int, location: str = "L1", order: str = "O1"
) -> dict[str, object]:
    return a_movement(
        type="shipment", sku=sku, quantity=quantity, location=location,
        order_line={"order_id": order, "line_id": "1"},
    )  # fmt: skip


def a_duo(wanted: int = 1, **overrides: object) -> dict[str, object]:
    """One line of order O1 wants kits of two lamps and a bulb."""
    told: dict[str, object] = {"order_id": "O1", "sku": "DUO", "wanted": wanted, "kit": KIT}
    return told | overrides


async def told(ledger: LedgerBench, order: str = "O1") -> dict[str, object]:
    """The line as allocations-v1 tells it now; only what is not nothing."""
    states = LedgerStates(ledger.pool)
    rows = await ledger.ask("select order_line_id from ledger.order_lines")
    keys = [("line", int(str(row["order_line_id"]))) for row in rows]
    messages = [json.loads(message.value) for message in await states.latest(keys)]
    (line,) = [message for message in messages if message["order_id"] == order]
    names = ("wanted", "shipped", "short", "short_at", "dated", "allocated")
    return {name: line[name] for name in names if line.get(name)}


async def looked_again(ledger: LedgerBench) -> int:
    """Work off what is due, until nothing is; returns how many lines that were."""
    looked = 0
    while found := await ledger.handler.book_due(100):
        looked += found
    return looked


async def allocated(ledger: LedgerBench, location: str = "L1") -> dict[str, int]:
    rows = await ledger.ask(
        "select sku, allocated::int as n from ledger.levels join ledger.skus using (sku_id)"
        " join ledger.locations using (location_id) where location = $1 and allocated <> 0",
        location,
    )
    return {str(row["sku"]): int(str(row["n"])) for row in rows}


async def test_a_kit_is_booked_on_its_parts_and_told_in_kits(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt("LAMP", 5), a_receipt("BULB", 5))

    await ledger.command(a_duo(2))

    assert await allocated(ledger) == {"LAMP": 4, "BULB": 2}
    assert await told(ledger) == {"wanted": 2, "allocated": [{"location": "L1", "quantity": 2}]}


async def test_kits_made_up_go_first_and_parts_that_lie_apart_make_none(
    ledger: LedgerBench,
) -> None:
    await ledger.move(
        a_receipt("DUO", 1, "L2"), a_receipt("LAMP", 9, "L1"), a_receipt("BULB", 1, "L2"),
        a_receipt("LAMP", 2, "L2"),
    )  # fmt: skip

    await ledger.command(a_duo(2, candidates=["L1", "L2"], may_split=True))

    assert await allocated(ledger, "L1") == {}
    assert await allocated(ledger, "L2") == {"DUO": 1, "LAMP": 2, "BULB": 1}


async def test_the_last_parts_go_to_one_of_two_orders_and_the_other_is_short(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 2), a_receipt("BULB", 1))

    await ledger.command(
        a_duo(order_id="young", ordered_at=NOON + timedelta(minutes=1)),
        a_duo(order_id="old", ordered_at=NOON),
    )
    await ledger.command({"order_id": "part", "sku": "LAMP", "wanted": 1})

    assert await told(ledger, "old") == {
        "wanted": 1, "allocated": [{"location": "L1", "quantity": 1}],
    }  # fmt: skip
    assert await told(ledger, "young") == {"wanted": 1, "short": 1, "short_at": "L1"}
    assert await told(ledger, "part") == {"wanted": 1, "short": 1, "short_at": "L1"}
    assert await allocated(ledger) == {"LAMP": 5, "BULB": 2}


async def test_a_receipt_of_the_missing_part_serves_the_kit_that_kept_the_others(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 2))
    await ledger.command(a_duo())
    await ledger.command({"order_id": "part", "sku": "LAMP", "wanted": 1})
    await looked_again(ledger)

    await ledger.move(a_receipt("BULB", 1))

    assert "short" not in await told(ledger)
    assert (await told(ledger, "part"))["short"] == 1


async def test_a_younger_kit_that_waits_for_a_part_stands_in_no_older_ones_way(
    ledger: LedgerBench,
) -> None:
    other = [{"sku": "LAMP", "quantity": 2}, {"sku": "S1", "quantity": 1}]
    await ledger.move(a_receipt("LAMP", 2))
    await ledger.command(a_duo(ordered_at=NOON))
    await ledger.command(
        a_duo(order_id="young", sku="TRIO", kit=other, ordered_at=NOON + timedelta(minutes=1))
    )
    await looked_again(ledger)

    await ledger.move(a_receipt("BULB", 1))

    assert "short" not in await told(ledger)
    assert (await told(ledger, "young"))["short"] == 1


async def test_a_part_that_comes_out_short_is_looked_at_once_more_and_then_no_more(
    ledger: LedgerBench,
) -> None:
    await ledger.command(a_duo())

    assert await ledger.handler.book_due(100) == 2
    assert await ledger.handler.book_due(100) == 0


async def test_a_kit_that_comes_in_made_up_serves_the_line_and_frees_its_parts(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 2))
    await ledger.command(a_duo())
    await ledger.command({"order_id": "part", "sku": "LAMP", "wanted": 1})
    await looked_again(ledger)
    assert (await told(ledger, "part"))["short"] == 1

    await ledger.move(a_receipt("DUO", 1))

    assert "short" not in await told(ledger)
    assert "short" not in await told(ledger, "part")
    assert await allocated(ledger) == {"DUO": 1, "LAMP": 1}


async def test_a_cancelled_kit_gives_its_parts_to_who_waits_for_them(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt("LAMP", 2), a_receipt("BULB", 1))
    await ledger.command(a_duo())
    await ledger.command({"order_id": "part", "sku": "LAMP", "wanted": 2})

    await ledger.command(a_duo(0, revision=2))

    assert "short" not in await told(ledger, "part")
    assert await allocated(ledger) == {"LAMP": 2}
    assert await told(ledger) == {}


@pytest.mark.parametrize("is_command_first", [True, False])
async def test_parts_that_are_shipped_are_the_kit_whatever_comes_first(
    ledger: LedgerBench, is_command_first: bool
) -> None:
    await ledger.move(a_receipt("LAMP", 5), a_receipt("BULB", 5))
    if is_command_first:
        await ledger.command(a_duo())

    await ledger.move(a_shipment("LAMP", 2))
    await ledger.move(a_shipment("BULB", 1))
    if not is_command_first:
        await ledger.command(a_duo())

    assert await told(ledger) == {"wanted": 1, "shipped": 1}
    assert await allocated(ledger) == {}
    assert await ledger.sellable("LAMP") == 3


async def test_a_kit_that_is_shipped_under_its_own_sku_gives_its_parts_back(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 5), a_receipt("BULB", 5))
    await ledger.command(a_duo(2))

    await ledger.move(a_shipment("DUO", 1))

    assert await told(ledger) == {
        "wanted": 2, "shipped": 1, "allocated": [{"location": "L1", "quantity": 1}],
    }  # fmt: skip
    assert await allocated(ledger) == {"LAMP": 2, "BULB": 1}


async def test_a_kit_without_a_place_owes_its_parts(ledger: LedgerBench) -> None:
    await ledger.command(a_duo(2, candidates=[]))

    rows = await ledger.ask(
        "select sku, unsourced::int as n from ledger.order_lines join ledger.skus using (sku_id)"
        " where unsourced > 0 order by 1"
    )
    assert rows == [{"sku": "BULB", "n": 2}, {"sku": "LAMP", "n": 4}]
    assert await told(ledger) == {"wanted": 2, "short": 2}


async def test_a_kit_for_later_is_booked_in_parts_when_its_time_has_come(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 5), a_receipt("BULB", 5))
    await ledger.command(a_duo(requested_for=MARCH))
    assert await told(ledger) == {"wanted": 1, "dated": 1}

    ledger.clock.advance(seconds=(MARCH - ledger.clock.now()).total_seconds())
    await ledger.handler.book_due(100)

    assert await allocated(ledger) == {"LAMP": 2, "BULB": 1}
    assert "dated" not in await told(ledger)


async def test_a_part_that_nobody_knows_keeps_the_command_until_it_is_known(
    ledger: LedgerBench,
) -> None:
    await ledger.command(a_duo(kit=[{"sku": "NEW", "quantity": 1}]))

    waits = await ledger.ask("select waits_for from ledger.parked")

    assert waits == [{"waits_for": "sku:NEW"}]


async def test_a_line_changes_from_a_kit_to_its_part(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt("LAMP", 5), a_receipt("BULB", 5))
    await ledger.command(a_duo(2))

    await ledger.command({"order_id": "O1", "sku": "LAMP", "wanted": 3, "revision": 2})

    assert await allocated(ledger) == {"LAMP": 3}
    assert await told(ledger) == {"wanted": 3, "allocated": [{"location": "L1", "quantity": 3}]}


async def test_each_change_of_a_part_tells_the_line_under_a_higher_version(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt("LAMP", 2))
    await ledger.command(a_duo())
    versions = "select version from ledger.order_lines where is_kit"
    (before,) = await ledger.ask(versions)

    await ledger.move(a_receipt("BULB", 1))

    (after,) = await ledger.ask(versions)
    assert int(str(after["version"])) > int(str(before["version"]))
    noted = await ledger.ask(
        "select count(*)::int as n from ledger.unpublished u join ledger.order_lines o"
        " on o.order_line_id = any(u.keys) where u.kind = 'line' and o.is_kit"
    )
    assert noted == [{"n": 2}]


async def test_parts_have_no_message_of_their_own(ledger: LedgerBench) -> None:
    await ledger.command(a_duo())

    rows = await ledger.ask("select order_line_id from ledger.order_lines")
    keys = [("line", int(str(row["order_line_id"]))) for row in rows]
    messages = await LedgerStates(ledger.pool).latest(keys)

    assert len(keys) == 3
    assert [(message.topic, message.key) for message in messages] == [(ALLOCATIONS.name, b"O1|1")]


async def test_two_workers_book_the_last_parts_once(ledger: LedgerBench, database: str) -> None:
    await ledger.move(a_receipt("LAMP", 4), a_receipt("BULB", 2))
    async with open_bench(database, owner="other") as other:
        for number in range(6):
            mine, theirs = (
                [a_message(
                    {"order_id": f"{who}{number}", "line_id": "1", "revision": 1, "channel": who,
                     "sku": sku, "wanted": 1, "candidates": ["L1"], "kit": kit},
                    offset=number, topic=STOCK_COMMANDS.name, partition=partition,
                )]
                for who, sku, kit, partition in (("a", "DUO", KIT, 0), ("b", "BULB", [], 1))
            )  # fmt: skip
            await asyncio.gather(*(_apply(ledger, mine, 0), _apply(other, theirs, 1)))

    await looked_again(ledger)
    book = await allocated(ledger)
    shorts = await ledger.ask(
        "select sku, sum(short)::int as n from ledger.order_lines join ledger.skus using (sku_id)"
        " where short > 0 group by 1 order by 1"
    )
    assert book == {"LAMP": 12, "BULB": 12}
    assert shorts == [{"sku": "BULB", "n": 10}, {"sku": "LAMP", "n": 8}]


async def _apply(ledger: LedgerBench, messages: list[FakeMessage], partition: int) -> None:
    """One batch of a partition; run again where it met another's, as the consumer does."""
    topic = STOCK_COMMANDS.name
    claim = await ledger.positions.claim(topic, partition, first_offset=0)
    batch = a_batch(messages, epoch=claim.epoch, expected=claim.next_offset)
    for _ in range(5):
        try:
            await ledger.handler.apply(batch, await ledger.handler.decode(batch))
            return
        except (asyncpg.SerializationError, asyncpg.DeadlockDetectedError):
            continue
    raise AssertionError("five attempts met another's batch")
