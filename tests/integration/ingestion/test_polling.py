"""Polling on a real database: no order is skipped or counts twice, one process asks at a time."""

import asyncio
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.ingestion.channels import MarketplaceAway, Page
from services.ingestion.handlers.polling import BACKOFF_SECONDS_MAX
from services.ingestion.repository import polls
from services.ingestion.repository.polls import Polls
from shared.runtime.clock import ManualClock
from shared.testing.waiting import until
from tests.integration.ingestion.bench import Bench
from tests.integration.ingestion.polling_stage import NOON, OVERLAP, FakeMarketplace, Poller
from tests.integration.ingestion.test_folding import a_listing, tell
from tests.unit.ingestion.builders import CHANNEL


@pytest.fixture
def poller(bench: Bench) -> Poller:
    clock = ManualClock(NOON)
    return Poller(bench=bench, clock=clock, shop=FakeMarketplace(clock))


async def test_a_list_is_read_to_its_end_and_the_next_begins_where_it_was_begun(
    poller: Poller,
) -> None:
    for name in "abcde":
        poller.shop.change(name)
        poller.clock.advance(seconds=1)

    await poller.turn()
    first = await poller.state()
    await poller.turn()

    assert await poller.kept() == list("abcde")
    begun = NOON + timedelta(seconds=5 - OVERLAP)
    start = NOON + timedelta(seconds=5) - timedelta(days=30)
    assert poller.shop.asked == [
        (start, 0), (start, 2), (start, 4), (begun, 0), (begun, 2), (begun, 4),
    ]  # fmt: skip
    assert (first["since"], first["next_offset"], first["owner"]) == (begun, 0, None)


async def test_an_order_that_changes_behind_the_page_being_read_is_found_by_the_next_list(
    poller: Poller,
) -> None:
    """`a` is not in the list when it is begun, and appears on the page that has been read; later
    orders are updated at the same time and read, so that the latest update seen is after `a`'s.
    """
    poller.shop.change("a")
    poller.clock.advance(seconds=86_400 * 40)
    for name in "bcdef":
        poller.shop.change(name)
    listed = poller.shop.orders

    async def overtaken(since: datetime, offset: int) -> Page:
        page = await listed(since, offset)
        if offset == 2:
            poller.clock.advance(seconds=400)
            poller.shop.change("a", order_state="SHIPPING")
            poller.shop.change("f", order_state="SHIPPING")
            poller.clock.advance(seconds=400)
        return page

    poller.shop.orders = overtaken  # type: ignore[method-assign]  # the change comes between pages
    await poller.turn()
    before = await poller.kept()
    poller.shop.orders = listed  # type: ignore[method-assign]  # as it was
    await poller.turn()

    assert "a" not in before
    assert set(before) == set("bcdef")
    assert "a" in await poller.kept()


async def test_a_process_that_dies_between_pages_is_followed_by_one_that_goes_on(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abcde":
        poller.shop.change(name)
    keep, pages = Polls.keep, 0

    async def dying(self: Polls, *arguments: Any, **options: Any) -> int | None:
        nonlocal pages
        pages += 1
        if pages == 2:
            raise asyncio.CancelledError  # killed with a page in its hands
        return await keep(self, *arguments, **options)

    monkeypatch.setattr(Polls, "keep", dying)
    with pytest.raises(asyncio.CancelledError):
        await poller.turn("one")
    monkeypatch.undo()
    left = await poller.state()
    early = await poller.turn("two")
    await poller.bench.ask("update ingestion.polls set leased_until = now() - interval '1 ms'")
    late = await poller.turn("two")

    assert (left["since"], left["next_offset"], left["owner"]) == (
        NOON - timedelta(days=30), 2, "one",
    )  # fmt: skip
    assert (early, late) == (False, True)
    assert await poller.kept() == list("abcde")
    assert [offset for _, offset in poller.shop.asked] == [0, 2, 2, 4]
    assert (await poller.state())["since"] == NOON - timedelta(seconds=OVERLAP)


async def test_a_page_and_its_place_are_kept_together_or_not_at_all(
    poller: Poller, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "abc":
        poller.shop.change(name)

    async def full(*_: Any) -> int:
        raise OSError("no space left")

    monkeypatch.setattr("services.ingestion.repository.polls._store", full)
    with pytest.raises(OSError, match="no space"):
        await poller.turn()
    left = await poller.state()
    monkeypatch.undo()
    await poller.turn()

    assert (left["next_offset"], left["began_at"]) == (0, None)
    assert await poller.kept() == list("abc")


async def test_one_who_was_taken_for_dead_changes_nothing_any_more(poller: Poller) -> None:
    for name in "abcd":
        poller.shop.change(name)
    listed, thawed = poller.shop.orders, asyncio.Event()

    async def frozen(since: datetime, offset: int) -> Page:
        page = await listed(since, offset)
        if offset == 2 and not thawed.is_set():
            thawed.set()
            await poller.bench.ask("update ingestion.polls set leased_until = '-infinity'")
            poller.shop.change("d", order_state="CANCELED")
            assert await poller.turn("two")
        return page

    poller.shop.orders = frozen  # type: ignore[method-assign]  # it sleeps with the page in hand
    await poller.turn("one")

    kept = await poller.bench.ask(
        "select payload->'order'->>'order_state' as s from ingestion.inbox "
        "where payload->'order'->>'order_id' = 'd'"
    )
    assert [row["s"] for row in kept] == ["CANCELED"]
    assert (await poller.state())["completed_at"] is not None


async def test_two_processes_ask_no_more_often_than_one(poller: Poller) -> None:
    poller.shop.change("a")
    await poller.turn("nobody")
    asked = len(poller.shop.asked)
    await poller.due()

    turns = await asyncio.gather(
        *(poller.process(f"p{n}").take_turn(poller.closing) for n in range(6))
    )
    again = await poller.process("p0").take_turn(poller.closing)

    assert sorted(turns) == [False] * 5 + [True]
    assert again is False
    assert len(poller.shop.asked) == asked + 1


async def test_the_same_page_twice_changes_nothing(poller: Poller) -> None:
    await tell(poller.bench, a_listing("mug"))
    poller.shop.change("a")

    for _ in range(3):
        await poller.turn()
        await poller.fold()

    assert await poller.kept() == ["a"]
    (row,) = await poller.bench.ask("select count(*)::int as n from ingestion.unpublished")
    assert row["n"] == 1


@pytest.mark.parametrize(
    "clocks",
    [
        pytest.param({"offset_of_clock": -290.0}, id="its_clock_is_behind"),
        pytest.param({"offset_of_clock": 3_600.0}, id="its_clock_is_an_hour_ahead"),
        pytest.param({"offset_of_date": 3_600.0}, id="it_says_another_time_than_it_stamps"),
        pytest.param({"says_the_time": False}, id="it_does_not_say_the_time"),
    ],
)
async def test_clocks_that_disagree_skip_no_order(poller: Poller, clocks: dict[str, Any]) -> None:
    poller.shop = replace(poller.shop, **clocks)
    for round_ in range(4):
        for name in "xyz":
            poller.shop.change(f"{name}{round_}")
            poller.clock.advance(seconds=20)
        await poller.turn()

    assert set(await poller.kept()) == {f"{name}{n}" for name in "xyz" for n in range(4)}


async def test_a_watermark_never_moves_back(poller: Poller) -> None:
    poller.shop.change("a")
    await poller.turn()
    before = (await poller.state())["since"]
    poller.shop.offset_of_clock = -86_400

    await poller.turn()

    assert (await poller.state())["since"] == before


@pytest.mark.parametrize(
    ("away", "seconds"),
    [
        pytest.param(MarketplaceAway("HTTP 401"), [60, 120, 240, 480, 900, 900], id="doubling"),
        pytest.param(MarketplaceAway("HTTP 429", 1_000.0), [1_000] * 3, id="its_own_word"),
        pytest.param(MarketplaceAway("HTTP 429", 1.0), [60, 120], id="never_more_often_than_due"),
    ],
)
async def test_a_marketplace_that_is_away_is_left_alone_longer_and_longer(
    poller: Poller, away: MarketplaceAway, seconds: list[int]
) -> None:
    poller.shop.change("a")
    poller.shop.away = away
    waits = []
    for _ in seconds:
        await poller.turn()
        (row,) = await poller.bench.ask(
            "select extract(epoch from next_at - now())::float8 as s from ingestion.polls"
        )
        waits.append(round(row["s"]))
    (state,) = await Polls(poller.bench.pool).states([CHANNEL])
    poller.shop.away = None
    await poller.turn()
    (well,) = await Polls(poller.bench.pool).states([CHANNEL])

    assert waits == seconds
    assert max(waits) <= max(BACKOFF_SECONDS_MAX, 1_000)
    assert (state.problem, state.failures) == (str(away), len(seconds))
    assert (well.problem, well.failures) == (None, 0)
    assert await poller.kept() == ["a"]


async def test_what_cannot_be_read_holds_nothing_up_and_is_seen(
    poller: Poller, caplog: pytest.LogCaptureFixture
) -> None:
    await tell(poller.bench, a_listing("mug"))
    for name in "abc":
        poller.shop.change(name)
    poller.shop.rows["b"]["order_lines"] = "none"
    poller.shop.rows["c"]["customer"] = {"customer_id": "7", "shipping_address": _Bomb(a=1)}

    await poller.turn()
    await poller.fold()

    assert await poller.kept() == list("abc")
    assert await poller.orders() == {"a": "confirmed"}
    assert await poller.bench.statuses() == {"folded": 1, "refused": 2}
    assert "an order could not be read" in caplog.text


class _Bomb(dict[str, Any]):
    """An address that a bug of ours trips over."""

    def get(self, *_: Any) -> Any:
        raise KeyError("a bug")


async def test_an_unknown_offer_waits_and_is_released_by_itself(poller: Poller) -> None:
    poller.shop.change("a")

    await poller.turn()
    await poller.fold()
    waiting = await poller.bench.statuses()
    await tell(poller.bench, a_listing("mug"))
    await poller.fold()

    assert waiting == {"waiting": 1}
    assert await poller.orders() == {"a": "confirmed"}


async def test_states_follow_each_other_however_they_are_read(poller: Poller) -> None:
    await tell(poller.bench, a_listing("mug"))
    seen = []
    for state in ("WAITING_ACCEPTANCE", "SHIPPING", "CANCELED"):
        poller.shop.change("a", order_state=state)
        await poller.turn()
        await poller.fold()
        seen.append((await poller.orders())["a"])
        poller.clock.advance(seconds=1)

    assert seen == ["pending_acceptance", "confirmed", "cancelled"]


async def test_an_order_is_accepted_once_it_is_in_the_database_and_not_before(
    poller: Poller,
) -> None:
    one, two = poller.process("one", accepts=True), poller.process("two", accepts=True)
    poller.shop.change("a", order_state="WAITING_ACCEPTANCE")
    poller.shop.change("b")
    await poller.turn()

    await poller.fold()
    await one.accept_waiting()
    unknown = list(poller.shop.accepted)
    await tell(poller.bench, a_listing("mug"))
    await poller.fold()
    await asyncio.gather(one.accept_waiting(), two.accept_waiting())
    await one.accept_waiting()

    assert unknown == []
    assert poller.shop.accepted == [("a", ["Order_1-A-1"])]
    (row,) = await poller.bench.ask("select * from ingestion.acceptances")
    assert (row["tries"], row["problem"]) == (1, None)
    assert row["accepted_at"] is not None


async def test_two_who_look_at_the_same_moment_do_not_both_accept(poller: Poller) -> None:
    await tell(poller.bench, a_listing("mug"))
    poller.shop.change("a", order_state="WAITING_ACCEPTANCE")
    await poller.turn()
    await poller.fold()
    second = poller.process("two", accepts=True)

    async with poller.bench.pool.acquire() as connection, connection.transaction():
        assert await connection.fetch(polls.TO_ACCEPT, CHANNEL, 180.0, 100)
        task = asyncio.create_task(second.accept_waiting())

        async def is_held_up() -> bool:
            query = "select 1 from pg_stat_activity where wait_event_type = 'Lock'"
            return bool(await poller.bench.ask(query))

        await until(is_held_up)
    await task

    assert poller.shop.accepted == []


@pytest.mark.parametrize("declines", [True, False])
async def test_an_acceptance_that_did_not_get_through_is_tried_again_less_and_less(
    poller: Poller, declines: bool
) -> None:
    await tell(poller.bench, a_listing("mug"))
    for name in ("a", "b"):
        poller.shop.change(name, order_state="WAITING_ACCEPTANCE")
    process = poller.process(accepts=True)
    await poller.turn()
    await poller.fold()
    poller.shop.declines = declines
    poller.shop.away = None if declines else MarketplaceAway("HTTP 500")

    await process.accept_waiting()
    await poller.bench.ask("update ingestion.acceptances set tried_at = now() - interval '170 s'")
    await process.accept_waiting()
    early = await poller.bench.ask("select tries, problem from ingestion.acceptances")
    poller.shop.away, poller.shop.declines = None, False
    await poller.bench.ask("update ingestion.acceptances set tried_at = now() - interval '190 s'")
    await process.accept_waiting()
    await poller.bench.ask("update ingestion.acceptances set tried_at = now() - interval '190 s'")
    await process.accept_waiting()
    late = await poller.bench.ask("select tries, problem, accepted_at from ingestion.acceptances")

    assert [row["tries"] for row in early] == [1, 1]
    # Where nobody answers, one order is enough to learn it.
    told = {"HTTP 400: ORDER_INVALID_STATE"} if declines else {"HTTP 500", None}
    assert {row["problem"] for row in early} == told
    assert [(row["tries"], row["problem"]) for row in late] == [(2, None), (2, None)]
    assert {name for name, _ in poller.shop.accepted} == {"a", "b"}


async def test_it_polls_until_told_to_close(poller: Poller) -> None:
    await tell(poller.bench, a_listing("mug"))
    poller.shop.change("a", order_state="WAITING_ACCEPTANCE")
    process = poller.process(poll_seconds=0.04, accepts=True)
    task = asyncio.create_task(process.run(poller.closing))

    async with asyncio.timeout(10):
        while not poller.shop.accepted:
            await poller.fold()
    poller.closing.set()
    await task

    assert poller.shop.accepted[0][0] == "a"
    assert poller.shop.asked
