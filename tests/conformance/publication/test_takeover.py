"""Owners of a channel that die, freeze, or never owned it: what is sent, and what is repaired."""

import asyncio

import pytest

from services.publication.engine import LaneOptions
from shared.kafka.batches import Fenced
from tests.conformance.publication.stage import Stage, a_figure, eventually

BRIEF = LaneOptions(lease_seconds=1.5, renew_seconds=0.2)


async def status(stage: Stage) -> list[tuple[str, int | None]]:
    rows = await stage.fetch("select status, shown from publication.published order by listing_id")
    return [(row["status"], row["shown"]) for row in rows]


async def test_a_crash_between_the_call_and_its_record_is_read_back(stage: Stage) -> None:
    first = stage.worker(BRIEF)
    await stage.catalogue(first, 1)
    first.start()
    await first.is_serving()
    stage.shop.faults.set([{"kind": "lost_answer", "seconds": 0.5, "calls": 1}])
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await eventually(lambda: stage.shown(1) == 4)

    await first.kill()
    rows = await stage.fetch("select closed_at from publication.attempts")
    assert [row["closed_at"] for row in rows] == [None]
    second = stage.worker(BRIEF)
    second.start()

    async def is_known() -> bool:
        return await status(stage) == [("acknowledged", 4)]

    await eventually(is_known)
    assert stage.writes() == [(1, 4)]


async def test_a_crash_between_the_record_and_its_call_is_made_good(stage: Stage) -> None:
    first = stage.worker(BRIEF, timeout_seconds=1.0)
    await stage.catalogue(first, 1)
    first.start()
    await first.is_serving()
    stage.shop.faults.set([{"kind": "hang", "seconds": 0.5, "calls": 1}])
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await eventually(lambda: stage.shop.calls.requests == 1)

    await first.kill()
    rows = await stage.fetch("select closed_at from publication.attempts")
    assert [row["closed_at"] for row in rows] == [None]
    second = stage.worker(BRIEF)
    second.start()

    await eventually(lambda: stage.shown(1) == 4)

    async def is_known() -> bool:
        return await status(stage) == [("acknowledged", 4)]

    await eventually(is_known)


async def test_nobody_else_sends_while_a_lease_runs(stage: Stage) -> None:
    first, second = stage.worker(), stage.worker()
    await stage.catalogue(first, 1)
    first.start()
    await first.is_serving()
    second.start()

    for version in range(1, 30):
        worker = first if version % 2 else second
        await stage.figures(worker, a_figure("SKU-1", version, version))

    await eventually(lambda: stage.shown(1) == 29)
    assert not second.lane.is_serving
    values = [value for _, value in stage.writes()]
    assert values == sorted(values)


async def test_what_a_worker_without_the_lease_folds_is_handed_over(stage: Stage) -> None:
    owner, other = stage.worker(), stage.worker()
    await stage.catalogue(owner, 2)
    owner.start()
    await owner.is_serving()

    await stage.figures(other, a_figure("SKU-1", 3, 1), a_figure("SKU-2", 0, 1))

    await eventually(lambda: (stage.shown(1), stage.shown(2)) == (3, 0))

    async def is_taken() -> bool:
        return await stage.fetch("select 1 from publication.handed_over") == []

    await eventually(is_taken)


async def test_an_owner_that_closes_lets_the_next_one_start_at_once(stage: Stage) -> None:
    slow = LaneOptions(lease_seconds=60.0, renew_seconds=1.0)
    first = stage.worker(slow)
    await stage.catalogue(first, 1)
    first.start()
    await first.is_serving()

    await first.stop()
    second = stage.worker(slow)
    second.start()

    await asyncio.wait_for(second.is_serving(), 3)


async def test_what_was_folded_while_nobody_owned_the_channel_is_told(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 2)
    await stage.figures(worker, a_figure("SKU-1", 3, 1), a_figure("SKU-2", 0, 1))

    worker.start()

    await eventually(lambda: (stage.shown(1), stage.shown(2)) == (3, 0))
    assert len(stage.writes()) == 2


async def test_a_fenced_batch_changes_nothing_and_sends_nothing(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 1)
    worker.start()
    await worker.is_serving()
    batch = await stage.feed.batch("availability-v1", [a_figure("SKU-1", 3, 1)])
    await stage.fetch("update publication.positions set epoch = epoch + 1")

    with pytest.raises(Fenced):
        await worker.handler.apply(batch, await worker.handler.decode(batch))

    assert await stage.fetch("select 1 from publication.figures") == []
    assert stage.shop.calls.requests == 0


async def test_a_lost_lease_stops_the_calls_of_its_owner(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 1)
    worker.start()
    await worker.is_serving()
    await stage.fetch(
        "update publication.leases set epoch = epoch + 1, owner = 'another',"
        " until_at = now() + interval '1 hour'"
    )

    await stage.figures(worker, a_figure("SKU-1", 3, 1))

    await eventually(lambda: not worker.lane.is_serving)
    assert stage.writes() == []
    assert await stage.fetch("select 1 from publication.attempts") == []
    handed = await stage.fetch("select channel from publication.handed_over")
    assert [row["channel"] for row in handed] == ["shop"]
