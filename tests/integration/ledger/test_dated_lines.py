"""Order lines for later: in the books from the first day, and holding nothing before their time."""

import asyncio
import json
from datetime import timedelta

from services.ledger.repository.publishing import LedgerStates
from shared.postgres.connecting import connect
from shared.testing.messages import NOON, a_movement
from tests.integration.ledger.bench import LedgerBench, open_bench

MARCH = NOON + timedelta(days=90)


def for_march(order: str = "O1", **overrides: object) -> dict[str, object]:
    return {"order_id": order, "wanted": 3, "requested_for": MARCH} | overrides


def a_receipt(quantity: int) -> dict[str, object]:
    return a_movement(type="receipt", quantity=quantity)


async def line(ledger: LedgerBench, order: str = "O1") -> dict[str, object]:
    rows = await ledger.ask(
        "select wanted, short, unsourced, dated, (select coalesce(sum(quantity), 0)::int"
        " from ledger.allocations a where a.order_line_id = o.order_line_id) as booked"
        " from ledger.order_lines o where order_id = $1",
        order,
    )
    return {key: value for key, value in rows[0].items() if value}


async def march_comes(ledger: LedgerBench) -> int:
    ledger.clock.advance(seconds=(MARCH - ledger.clock.now()).total_seconds())
    return await ledger.handler.book_due(100)


async def test_a_line_for_march_holds_nothing_in_november(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt(5))

    await ledger.command(for_march())

    assert await line(ledger) == {"wanted": 3, "dated": 3}
    assert (await ledger.level())["allocated"] == 0
    assert await ledger.handler.book_due(100) == 0


async def test_it_is_booked_when_march_comes_and_once(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt(5))
    await ledger.command(for_march())

    assert await march_comes(ledger) == 1
    assert await ledger.handler.book_due(100) == 0

    assert await line(ledger) == {"wanted": 3, "booked": 3}
    assert (await ledger.level())["allocated"] == 3


async def test_what_is_overdue_after_a_stop_is_booked_the_longest_overdue_first(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt(5))
    await ledger.command(
        for_march("late", requested_for=MARCH - timedelta(days=1)),
        for_march("first", requested_for=MARCH - timedelta(days=2)),
    )
    ledger.clock.advance(seconds=(MARCH - ledger.clock.now()).total_seconds())

    assert await ledger.handler.book_due(1) == 1

    assert await line(ledger, "first") == {"wanted": 3, "booked": 3}
    assert await line(ledger, "late") == {"wanted": 3, "dated": 3}


async def test_a_receipt_in_november_serves_those_who_want_it_now(ledger: LedgerBench) -> None:
    await ledger.command(for_march("old", ordered_at=NOON - timedelta(days=9)))
    await ledger.command({"order_id": "now", "wanted": 3, "ordered_at": NOON})

    await ledger.move(a_receipt(3))

    assert await line(ledger, "now") == {"wanted": 3, "booked": 3}
    await march_comes(ledger)
    assert await line(ledger, "old") == {"wanted": 3, "booked": 3, "short": 3}


async def test_a_line_that_is_put_off_gives_its_units_to_who_waits(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt(3))
    await ledger.command({"order_id": "O1", "wanted": 3})
    await ledger.command({"order_id": "O2", "wanted": 3})
    assert (await line(ledger, "O2"))["short"] == 3

    await ledger.command(for_march(revision=2))

    assert await line(ledger) == {"wanted": 3, "dated": 3}
    assert await line(ledger, "O2") == {"wanted": 3, "booked": 3}


async def test_a_line_put_off_twice_waits_for_its_latest_date(ledger: LedgerBench) -> None:
    await ledger.move(a_receipt(5))
    await ledger.command(for_march())
    await ledger.command(for_march(revision=2, requested_for=MARCH + timedelta(days=30)))

    await march_comes(ledger)
    assert await line(ledger) == {"wanted": 3, "dated": 3}

    ledger.clock.advance(seconds=30 * 86_400)
    assert await ledger.handler.book_due(100) == 1
    assert await line(ledger) == {"wanted": 3, "booked": 3}


async def test_a_line_shipped_or_cancelled_before_its_time_claims_no_more(
    ledger: LedgerBench,
) -> None:
    await ledger.move(a_receipt(5))
    await ledger.command(for_march("O1"), for_march("O2"))
    shipment = a_movement(
        type="shipment", quantity=2, order_line={"order_id": "O1", "line_id": "1"}
    )

    await ledger.move(shipment)
    await ledger.command(for_march("O2", wanted=0, revision=2))

    assert await line(ledger, "O1") == {"wanted": 3, "dated": 1}
    assert await line(ledger, "O2") == {}
    await march_comes(ledger)
    assert (await ledger.level())["allocated"] == 1


async def test_its_state_is_told_before_and_after(ledger: LedgerBench) -> None:
    states = LedgerStates(ledger.pool)

    async def told() -> dict[str, object]:
        dirty = await states.unpublished(range(8), 100)
        messages = await states.latest([key for key in dirty.keys if key[0] == "line"])
        await states.forget(dirty.rows)
        (value,) = [json.loads(message.value) for message in messages]
        return {name: value.get(name) for name in ("dated", "requested_for", "short", "allocated")}

    await ledger.move(a_receipt(5))
    await ledger.command(for_march())
    before = await told()
    await march_comes(ledger)
    after = await told()

    requested = "2026-08-30T12:00:00Z"
    assert before == {"dated": 3, "requested_for": requested, "short": 0, "allocated": []}
    assert after == {
        "dated": 0, "requested_for": requested, "short": 0,
        "allocated": [{"location": "L1", "quantity": 3}],
    }  # fmt: skip


async def test_two_workers_that_find_the_same_line_due_book_it_once(
    ledger: LedgerBench, database: str
) -> None:
    await ledger.move(a_receipt(5))
    await ledger.command(for_march())
    ledger.clock.advance(seconds=(MARCH - ledger.clock.now()).total_seconds())

    async with open_bench(database, owner="other") as other:
        other.clock.advance(seconds=(MARCH - other.clock.now()).total_seconds())
        blocker = await connect(database, application="test")
        try:
            async with blocker.transaction():
                await blocker.execute("select 1 from ledger.levels for update")
                tasks = [asyncio.create_task(x.handler.book_due(9)) for x in (ledger, other)]
                await asyncio.sleep(0.2)
            await asyncio.gather(*tasks)
        finally:
            await blocker.close()

    assert (await ledger.level())["allocated"] == 3
    assert await ledger.ask("select 1 from ledger.due") == []
