"""A channel that compares before it sets: its own sales are never overwritten, heard of or not."""

import asyncio
import random
from dataclasses import replace
from typing import Any

import pytest
from prometheus_client import REGISTRY

from tests.conformance.publication.channels import a_comparing_channel
from tests.conformance.publication.hearing import (
    FORGETFUL,
    MORTAL,
    PATIENT,
    a_worker,
    an_order,
    an_outcome,
    hear,
    told,
)
from tests.conformance.publication.stage import CHANNEL, Stage, a_figure, eventually


async def test_a_stale_compare_is_news_and_the_sale_is_not_erased(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)

    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 8, 2))

    await eventually(lambda: channel.shown["c1"] == 7)
    assert channel.writes == [("c1", None, 5), ("c1", 4, 7)]
    assert channel.stale == 1


async def test_what_is_unheard_decays_as_its_order_is_heard(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)
    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 8, 2))
    await eventually(lambda: channel.shown["c1"] == 7)

    await hear(stage, worker, an_order("o1"), an_outcome("o1"))
    await stage.figures(worker, a_figure("SKU-1", 7, 3))

    async def is_counted() -> bool:
        rows = await stage.fetch("select version, status, shown from publication.published")
        return tuple(rows[0]) == (3, "satisfied", 7)

    await eventually(is_counted)
    await stage.figures(worker, a_figure("SKU-1", 9, 4))
    await eventually(lambda: channel.shown["c1"] == 9)
    assert channel.writes[-1] == ("c1", 7, 9)


async def test_an_order_that_brought_the_figure_down_to_what_is_shown_costs_no_write(
    stage: Stage,
) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)

    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 4, 2))
    await eventually(lambda: channel.stale == 1)
    await hear(stage, worker, an_order("o1"), an_outcome("o1"))

    async def is_satisfied() -> bool:
        rows = await stage.fetch("select version, status, shown from publication.published")
        return tuple(rows[0]) == (2, "satisfied", 4)

    await eventually(is_satisfied)
    assert channel.writes == [("c1", None, 5)]


async def test_a_sale_that_is_not_heard_of_in_time_is_held_back(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)

    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 4, 2))

    await eventually(lambda: channel.shown["c1"] == 3)
    await hear(stage, worker, an_order("o1"), an_outcome("o1"))
    await eventually(lambda: channel.shown["c1"] == 4)


async def test_a_sale_elsewhere_and_one_here_that_nobody_told(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)

    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 1, 2))

    await eventually(lambda: channel.shown["c1"] == 0)
    assert channel.writes[-1] == ("c1", 4, 0)


def drift() -> float:
    labels = {"channel": CHANNEL}
    return REGISTRY.get_sample_value(
        "stocktide_publication_drift_units_total", labels
    ) or 0.0  # fmt: skip


async def test_what_no_order_explains_for_too_long_is_dropped_as_drift(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, FORGETFUL)
    await told(stage, worker, channel, 5)
    before = drift()

    channel.shown["c1"] = 2  # somebody changed the shop by hand
    await stage.figures(worker, a_figure("SKU-1", 9, 2))

    await eventually(lambda: ("c1", 2, 6) in channel.writes)
    await eventually(lambda: channel.shown["c1"] == 9)
    assert drift() - before == 3

    async def is_at_rest() -> bool:
        rows = await stage.fetch("select basis ->> 'since' as since from publication.published")
        return rows[0]["since"] is None

    await eventually(is_at_rest)


async def test_more_than_any_order_explains_is_told_the_figure(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)

    channel.shown["c1"] = 50
    await stage.figures(worker, a_figure("SKU-1", 4, 2))

    await eventually(lambda: channel.shown["c1"] == 4)
    assert channel.writes[-1] == ("c1", 50, 4)


async def test_a_fold_that_read_before_an_answer_does_not_forget_what_is_unheard(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)
    (before,) = await worker.store.listings([1])
    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 8, 2))
    await eventually(lambda: channel.shown["c1"] == 7 and not worker.lane.queue.is_busy(1))
    fold = worker.store.fold

    async def reads_late(*arguments: Any, **more: Any) -> Any:
        """The fold sees what is shown and known as it was before the last answers."""
        folded = await fold(*arguments, **more)
        (now,) = folded.touched
        known = replace(now.desired, target=None, value=now.desired.full)
        stale = known.upon(before.desired.shown, before.desired.basis)
        return replace(folded, touched=[replace(now, desired=stale)])

    monkeypatch.setattr(worker.store, "fold", reads_late)
    await stage.figures(worker, a_figure("SKU-1", 9, 3))

    await eventually(lambda: channel.shown["c1"] != 7)
    assert channel.writes[-1] == ("c1", 7, 8)
    assert channel.stale == 1


async def test_a_new_owner_knows_what_is_unheard(stage: Stage) -> None:
    channel = a_comparing_channel()
    first = await a_worker(stage, channel, MORTAL)
    await told(stage, first, channel, 5)
    channel.buy("c1", 2)
    await stage.figures(first, a_figure("SKU-1", 8, 2))
    await eventually(lambda: channel.shown["c1"] == 6)

    async def is_written() -> bool:
        rows = await stage.fetch("select shown from publication.published")
        return bool(rows[0]["shown"] == 6)

    await eventually(is_written)
    await first.kill()
    second = stage.worker_for(channel, MORTAL)
    second.start()
    await second.is_serving()
    await stage.figures(second, a_figure("SKU-1", 10, 3))

    await eventually(lambda: channel.shown["c1"] == 8)
    assert channel.stale == 1


async def test_a_crash_between_the_call_and_its_record_erases_no_sale(stage: Stage) -> None:
    channel = a_comparing_channel()
    first = await a_worker(stage, channel, MORTAL)
    await told(stage, first, channel, 5)
    channel.hold = asyncio.Event()
    await stage.figures(first, a_figure("SKU-1", 8, 2))

    async def is_open() -> bool:
        return bool(await stage.fetch("select 1 from publication.attempts where closed_at is null"))

    await eventually(is_open)
    await first.kill()
    channel.hold = None
    channel.shown["c1"] = 8  # the call has landed
    channel.buy("c1", 3)
    second = stage.worker_for(channel, MORTAL)
    second.start()

    await eventually(lambda: channel.stale == 0 and bool(second.lane.is_serving))
    await stage.figures(second, a_figure("SKU-1", 9, 3))
    await eventually(lambda: channel.shown["c1"] == 6)
    assert all(value <= 6 for _, _, value in channel.writes[1:])


async def test_an_answer_that_was_lost_erases_no_sale(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)

    channel.loses_answers = True
    await stage.figures(worker, a_figure("SKU-1", 8, 2))
    await eventually(lambda: channel.shown["c1"] == 8)
    channel.buy("c1")
    await stage.figures(worker, a_figure("SKU-1", 9, 3))

    await eventually(lambda: channel.shown["c1"] == 8)


async def test_concurrent_orders_and_figures_end_where_the_book_is(stage: Stage) -> None:
    """Seeded: buyers, receipts and orders on their way, over the real database."""
    rng = random.Random(20260601)
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    book, version, orders = 12, 1, 0
    await told(stage, worker, channel, book)
    on_their_way: list[tuple[str, int]] = []

    for _ in range(120):
        if rng.random() < 0.5 and channel.shown["c1"] > 0:
            units = rng.randint(1, min(2, channel.shown["c1"]))
            channel.buy("c1", units)
            orders += 1
            on_their_way.append((f"o{orders}", units))
        elif rng.random() < 0.3:
            book += rng.randint(1, 3)
            version += 1
            await stage.figures(worker, a_figure("SKU-1", book, version))
        elif on_their_way:
            name, units = on_their_way.pop(rng.randrange(len(on_their_way)))
            book -= units
            version += 1
            assert book >= 0, "a unit was sold twice"
            await stage.figures(worker, a_figure("SKU-1", book, version))
            await hear(stage, worker, an_order(name, units), an_outcome(name, units))
        await asyncio.sleep(0)
    for name, units in on_their_way:
        book -= units
        version += 1
        assert book >= 0, "a unit was sold twice"
        await stage.figures(worker, a_figure("SKU-1", book, version))
        await hear(stage, worker, an_order(name, units), an_outcome(name, units))

    await eventually(lambda: channel.shown["c1"] == book)
    assert channel.stale > 0


async def test_an_order_called_off_before_it_counted_is_neither_sold_nor_given_back(
    stage: Stage,
) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)

    off = {"state": "cancelled", "version": 2}
    await hear(stage, worker, an_order("o1"), an_order("o2"), an_outcome("o2"), after=60)
    await hear(stage, worker, an_order("o1") | off, an_outcome("o2", wanted=0, version=2))

    async def is_counted() -> bool:
        due = await stage.fetch("select 1 from publication.order_lines where due_at is not null")
        return not due and not await stage.fetch("select 1 from publication.handed_over")

    await eventually(is_counted)
    rows = await stage.fetch("select heard, given_back, demand from publication.listings")
    assert [tuple(row) for row in rows] == [(0, 0, 0)]
    assert channel.writes == [("c1", None, 5)]
