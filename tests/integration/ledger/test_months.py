"""Months: made ahead, closed with their balances, detached; what comes too late is parked."""

import asyncio
import json
import random
from datetime import UTC, date, datetime, timedelta

import pytest

from services.ledger.handlers.maintaining import Maintaining, first_kept
from services.ledger.repository import closing, explaining
from shared.contracts.topics import STOCK_MOVEMENTS
from shared.testing.messages import NOON, a_batch, a_movement
from tests.integration.ledger.bench import LedgerBench


def a_maintaining(ledger: LedgerBench, keep_months: int) -> Maintaining:
    return Maintaining(
        ledger.pool, ledger.clock, asyncio.Event(), months_ahead=1, keep_months=keep_months,
        keep_supply=timedelta(days=60),
        closed=ledger.handler.learn_horizon,
    )  # fmt: skip


async def a_history(ledger: LedgerBench) -> None:
    """Two hundred movements over four months."""
    rng = random.Random(7)
    await ledger.move(
        *[
            a_movement(
                type=rng.choice(["receipt", "sale", "return", "pick"]),
                sku=rng.choice(["S1", "S2"]), location=rng.choice(["L1", "L2"]),
                quantity=rng.randint(1, 9), occurred_at=NOON - timedelta(days=rng.randint(0, 110)),
            )
            for _ in range(200)
        ]
    )  # fmt: skip


async def attached(ledger: LedgerBench) -> list[object]:
    rows = await ledger.ask(
        "select inhrelid::regclass::text as name from pg_inherits"
        " where inhparent = 'ledger.movements'::regclass order by 1"
    )
    return [row["name"] for row in rows]


async def books(ledger: LedgerBench) -> dict[tuple[str, str, str], int]:
    """Units of every account by what `explain` adds up."""
    found: dict[tuple[str, str, str], int] = {}
    for sku in ("S1", "S2"):
        async with ledger.pool.acquire() as connection:
            told = json.loads(
                json.dumps(await explaining.explain(connection, sku, None, None, NOON), default=str)
            )
        for level in told["levels"]:
            for term in level["terms"]:
                key = (sku, level["location"], term["bucket"])
                found[key] = found.get(key, 0) + term["quantity"]
    return found


@pytest.mark.parametrize(
    ("keep", "first"), [(1, date(2026, 5, 1)), (5, date(2026, 1, 1)), (6, date(2025, 12, 1))]
)
def test_the_months_kept_stand_beside_the_present_one(keep: int, first: date) -> None:
    assert first_kept(date(2026, 6, 15), keep) == first


async def test_without_a_limit_everything_is_kept(ledger: LedgerBench) -> None:
    await a_history(ledger)

    await a_maintaining(ledger, 0).turn()

    assert await ledger.ask("select 1 from ledger.closed_months") == []
    assert await attached(ledger) == [
        "ledger.movements_2026_05", "ledger.movements_2026_06", "ledger.movements_2026_07",
        "ledger.movements_elsewhere",
    ]  # fmt: skip


async def test_closed_months_are_detached_and_every_account_still_adds_up(
    ledger: LedgerBench,
) -> None:
    await a_history(ledger)
    before = await books(ledger)

    await a_maintaining(ledger, 2).turn()
    await a_maintaining(ledger, 1).turn()
    await a_maintaining(ledger, 1).turn()

    assert await attached(ledger) == [
        "ledger.movements_2026_05", "ledger.movements_2026_06", "ledger.movements_2026_07",
        "ledger.movements_elsewhere",
    ]  # fmt: skip
    assert await books(ledger) == before
    kept = await ledger.ask("select count(*)::int as n from ledger.movements")
    put_away = await ledger.ask(
        "select (select count(*) from ledger.movements_2026_02)::int"
        " + (select count(*) from ledger.movements_2026_03)::int"
        " + (select count(*) from ledger.movements_2026_04)::int as n"
    )
    assert kept[0]["n"] + put_away[0]["n"] == 200  # type: ignore[operator]  # rows are objects


async def test_an_event_of_a_closed_month_is_parked_and_the_rest_of_its_batch_posted(
    ledger: LedgerBench,
) -> None:
    await a_maintaining(ledger, 1).turn()

    await ledger.move(
        a_movement(type="receipt", quantity=5),
        a_movement(occurred_at=datetime(2026, 4, 30, 23, 59, 59, tzinfo=UTC)),
        a_movement(type="count", quantity=3, occurred_at=NOON - timedelta(days=60)),
        a_movement(quantity=2, occurred_at=datetime(2026, 5, 1, tzinfo=UTC)),
    )

    assert await ledger.sellable() == 3
    assert await ledger.parked() == {"too_old": 2}
    assert await ledger.unbalanced() == []


async def test_a_worker_that_has_not_heard_of_the_closing_cannot_post_into_it(
    ledger: LedgerBench,
) -> None:
    async with ledger.pool.acquire() as connection:
        await closing.raise_horizon(connection, date(2026, 5, 1))
    claim = await ledger.positions.claim(STOCK_MOVEMENTS.name, 0, first_offset=0)
    old = a_movement(occurred_at=NOON - timedelta(days=60))
    batch = a_batch(ledger.messages([old]), epoch=claim.epoch, expected=0)
    read = await ledger.handler.decode(batch)

    with pytest.raises(Exception, match=closing.CONSTRAINT) as caught:
        await ledger.handler.apply(batch, read)
    await ledger.handler.park(batch, caught.value)

    assert await ledger.parked() == {"too_old": 1}
    assert await ledger.ask("select 1 from ledger.movements") == []


async def test_a_closing_that_was_interrupted_goes_on_where_it_stopped(
    ledger: LedgerBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    await a_history(ledger)
    before = await books(ledger)
    monkeypatch.setattr("services.ledger.handlers.maintaining.LEVELS_PER_SLICE", 1)
    async with ledger.pool.acquire() as connection:
        await closing.raise_horizon(connection, date(2026, 5, 1))
        (first, *_) = await closing.attached_before(connection, date(2026, 5, 1))
        assert await closing.close_slice(connection, first, 1)
    assert await books(ledger) == before

    await asyncio.gather(*(a_maintaining(ledger, 1).turn() for _ in range(2)))

    assert await books(ledger) == before
    assert await ledger.ask("select 1 from ledger.closed_months where detached_at is null") == []


async def test_explain_at_a_past_time_says_when_closed_months_hold_later_records(
    ledger: LedgerBench,
) -> None:
    long_ago = NOON - timedelta(days=60)
    await ledger.move(a_movement(type="receipt", quantity=5, occurred_at=long_ago))
    await a_maintaining(ledger, 1).turn()

    async with ledger.pool.acquire() as connection:
        far = datetime(2099, 1, 1, tzinfo=UTC)
        now = await explaining.explain(connection, "S1", None, far, NOON)
        then = await explaining.explain(connection, "S1", None, long_ago, NOON)

    assert [level["sellable"] for level in now["levels"]] == [5]  # type: ignore[attr-defined]  # JSON values
    assert [level["is_complete"] for level in now["levels"]] == [True]  # type: ignore[attr-defined]  # JSON values
    assert [level["is_complete"] for level in then["levels"]] == [False]  # type: ignore[attr-defined]  # JSON values


async def test_a_level_is_explained_with_what_was_booked_then(ledger: LedgerBench) -> None:
    async def moment() -> datetime:
        rows = await ledger.ask("select clock_timestamp() as at")
        assert isinstance(rows[0]["at"], datetime)
        return rows[0]["at"]

    await ledger.move(a_movement(type="receipt", quantity=5))
    await ledger.command(
        {"order_id": "O1", "wanted": 3}, {"order_id": "O2", "wanted": 1, "candidates": []}
    )
    booked = await moment()
    await ledger.command(
        {"order_id": "O1", "wanted": 1, "revision": 2},
        {"order_id": "O2", "wanted": 0, "revision": 2},
    )

    async with ledger.pool.acquire() as connection:
        then = await explaining.explain(connection, "S1", "L1", booked, NOON)
        now = await explaining.explain(connection, "S1", "L1", await moment(), NOON)

    shown = [
        (level["sellable"], level["allocated"], told["unsourced"])
        for told in (then, now)
        for level in told["levels"]  # type: ignore[attr-defined]  # JSON values
    ]
    assert shown == [(5, 3, 1), (5, 1, 0)]
