"""Holds while connections die, commits are lost and others write the same levels."""

import asyncio
import random
from collections import Counter as Tally
from collections.abc import AsyncIterator, Sequence
from contextlib import suppress

import asyncpg
import pytest
import pytest_asyncio

from services.ledger.handlers.collecting import UnavailableError
from services.ledger.handlers.reserving import Conflict
from services.ledger.repository import holds
from services.ledger.repository.holds import Moved, Parts, Premises
from shared.contracts.holds import Confirm, Hold, HoldState
from shared.postgres.connecting import Connection, connect
from shared.testing.messages import a_movement
from shared.testing.waiting import until
from tests.integration.ledger.bench import LedgerBench
from tests.integration.ledger.counter import Counter, a_channel, a_line, open_counter

SKUS = ("S1", "S2", "S3")
PLACES = ("L1", "L2", "L3")
TAKE_ID = """
insert into ledger.holds (hold_id, part, line, digest, sku_id, purpose, quantity, held_from,
                          settled_at, outcome, reason, possible)
select 'same', 0, 0, '', sku_id, 'cart', 1, now(), now(), 'refused', 'unknown_channel', 0
from ledger.skus limit 1
"""
WAITING = "select from pg_stat_activity where wait_event_type = 'Lock'"
# What a test's own connection ends: others' backends that are in the middle of something.
END_ONE = """
select pg_terminate_backend(pid) from pg_stat_activity
where datname = current_database() and pid <> pg_backend_pid() and application_name = 'test'
  and state <> 'idle' order by random() limit 1
"""


@pytest_asyncio.fixture(loop_scope="session")
async def counter(ledger: LedgerBench) -> AsyncIterator[Counter]:
    async with open_counter(ledger) as opened:
        await opened.refer(a_channel("web", *PLACES), a_channel("market", "L3", "L2"))
        yield opened
        assert await opened.miscounted() == []


async def test_a_lost_commit_is_run_again_with_the_same_ids(
    counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    await counter.receive(9)
    really = holds.record
    lost: list[Sequence[Moved] | None] = []

    async def record_and_lose(
        connection: Connection, now: object, parts: Parts, premises: Premises
    ) -> Sequence[Moved] | None:
        told = await really(connection, now, parts, premises)  # type: ignore[arg-type]  # as it came
        if not lost:
            lost.append(told)
            raise asyncpg.ConnectionDoesNotExistError("the answer to COMMIT never came")
        return told

    monkeypatch.setattr(holds, "record", record_and_lose)

    held = await counter.hold(a_line(3), hold_id="cart-1")

    assert lost[0] is not None
    assert held.state is HoldState.HELD
    assert await counter.reserved() == 3


async def test_an_id_that_another_process_is_just_taking_gets_no_parts_of_this_one(
    counter: Counter, database: str
) -> None:
    await counter.receive(9)
    await counter.receive(9, "S2")
    other = await connect(database, application="other")
    transaction = other.transaction()
    await transaction.start()
    await other.execute(TAKE_ID)

    asked = asyncio.create_task(counter.ask(a_line(1), a_line(1, "S2"), hold_id="same"))

    async def waits() -> bool:
        return bool(await counter.ledger.ask(WAITING))

    await until(waits, seconds=5)
    await transaction.commit()
    await other.close()

    assert isinstance(await asked, Conflict)
    parts = await counter.ledger.ask("select part from ledger.holds where hold_id = 'same'")
    assert parts == [{"part": 0}]


async def test_a_lost_commit_of_a_refusal_is_not_decided_anew(counter: Counter) -> None:
    refused = await counter.hold(a_line(1), hold_id="cart-1")
    await counter.receive(9)

    assert await counter.hold(a_line(1), hold_id="cart-1") == refused


async def test_ended_connections_lose_and_double_nothing(counter: Counter, database: str) -> None:
    for sku in SKUS:
        for place in PLACES:
            await counter.receive(40, sku, place)
    rng = random.Random(11)
    killer = await connect(database, application="killer")
    told: dict[str, Hold] = {}

    async def shop(caller: Counter, name: str) -> None:
        for number in range(12):
            hold_id = f"{name}-{number}"
            lines = [a_line(rng.randint(1, 3), rng.choice(SKUS)) for _ in range(rng.randint(1, 3))]
            channel = rng.choice(["web", "market"])
            while hold_id not in told:  # the same request until it is answered
                with suppress(UnavailableError):
                    answer = await caller.ask(*lines, hold_id=hold_id, channel=channel)
                    assert isinstance(answer, Hold)
                    told[hold_id] = answer
            if rng.random() < 0.3:
                with suppress(UnavailableError):
                    await caller.holding.release(hold_id)

    async with open_counter(counter.ledger) as second:
        shops = asyncio.gather(
            *(shop(one, f"{place}-{n}") for place, one in enumerate((counter, second))
              for n in range(8))
        )  # fmt: skip
        ended = 0
        while not shops.done():
            ended += len(await killer.fetch(END_ONE))
            await asyncio.wait([shops], timeout=0.05)
        await shops
    await killer.close()

    assert ended > 0
    rows = await counter.ledger.ask("select hold_id, outcome = 'refused' as no from ledger.holds")
    assert {row["hold_id"] for row in rows} == told.keys()
    refused = {row["hold_id"] for row in rows if row["no"]}
    assert refused == {name for name, hold in told.items() if hold.state is HoldState.REFUSED}
    assert await oversold(counter) == []


async def test_mixed_carts_beside_sales_orders_and_expiry_oversell_nothing(
    counter: Counter,
) -> None:
    for sku in SKUS:
        for place in PLACES:
            await counter.receive(12, sku, place)
    rng = random.Random(5)
    outcomes: Tally[str] = Tally()

    async def warehouse() -> None:
        for number in range(20):
            await counter.ledger.move(
                a_movement(type="receipt", sku=rng.choice(SKUS), location=rng.choice(PLACES)),
                a_movement(type="receipt", sku=rng.choice(SKUS), quantity=2),
                source=f"wms:{number}",
            )

    async with open_counter(counter.ledger) as second:
        await asyncio.gather(
            warehouse(),
            *(shop(one, f"{place}-{n}", rng, outcomes)
              for place, one in enumerate((counter, second)) for n in range(8)),
        )  # fmt: skip

    assert outcomes[HoldState.HELD] > 20
    assert outcomes[HoldState.REFUSED] > 20
    assert await oversold(counter) == []
    counter.ledger.clock.advance(seconds=60)
    while await counter.expiring.turn():
        pass
    for sku in SKUS:  # once quiet, everything that is free can be had
        free = await counter.ledger.ask(
            "select coalesce(sum(sellable - reserved - allocated), 0)::int as free"
            " from ledger.levels join ledger.skus using (sku_id) where sku = $1", sku,
        )  # fmt: skip
        if units := int(str(free[0]["free"])):
            assert (await counter.hold(a_line(units, sku))).state is HoldState.HELD


async def test_a_conflict_is_told_under_load_too(counter: Counter) -> None:
    await counter.receive(99)

    told = await asyncio.gather(
        *(counter.ask(a_line(quantity), hold_id=f"h{n}") for n in range(20) for quantity in (1, 2))
    )

    assert sum(isinstance(one, Conflict) for one in told) == 20
    assert await counter.reserved() == 20


async def shop(caller: Counter, name: str, rng: random.Random, outcomes: Tally[str]) -> None:
    """Carts of two lines; some become orders, some are given up, and time goes on."""
    for number in range(15):
        lines = [
            a_line(rng.randint(1, 4), rng.choice(SKUS)), a_line(1, rng.choice(SKUS), "L2", "L3"),
        ]  # fmt: skip
        hold_id = f"{name}-{number}"
        told = await caller.hold(*lines, hold_id=hold_id, ttl_seconds=5)
        outcomes[told.state] += 1
        fate = rng.random()
        if told.state is HoldState.HELD and fate < 0.2:
            await caller.holding.confirm(hold_id, Confirm(order_id=hold_id, line_ids=("1", "2")))
        elif fate < 0.4:
            await caller.holding.release(hold_id)
        elif fate < 0.5:
            caller.ledger.clock.advance(seconds=1)
            await caller.expiring.turn()


async def oversold(counter: Counter) -> list[dict[str, object]]:
    """Levels of which more is promised than is there; no sale or count has taken any here."""
    return await counter.ledger.ask(
        "select * from ledger.levels where reserved + allocated > greatest(0, sellable)"
    )
