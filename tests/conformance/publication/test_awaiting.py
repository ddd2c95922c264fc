"""Channels that take a file now and work it off later: one at a time, asked for until known."""

import asyncio
from datetime import UTC, datetime

import pytest

from services.publication.domain.outcomes import Failed, Refused
from services.publication.engine import LaneOptions
from tests.conformance.publication.channels import ImportingChannel, an_importing_channel
from tests.conformance.publication.stage import (
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)

BRIEF = LaneOptions(lease_seconds=1.2, renew_seconds=0.2)


async def a_worker(stage: Stage, channel: ImportingChannel, products: int = 3) -> Worker:
    worker = stage.worker_for(channel, BRIEF)
    listings = [a_listing(f"SKU-{i}", f"c{i}") for i in range(1, products + 1)]
    await stage.tell(worker, a_channel(), *listings)
    worker.start()
    await worker.is_serving()
    return worker


async def attempts(stage: Stage) -> list[tuple[object, ...]]:
    rows = await stage.fetch(
        "select listing_id, value, receipt, outcome from publication.attempts"
        " order by opened_at, listing_id"
    )
    return [tuple(row) for row in rows]


async def is_closed(stage: Stage, *wanted: tuple[object, ...]) -> None:
    async def is_so() -> bool:
        return await attempts(stage) == list(wanted)

    await eventually(is_so)


async def standing(stage: Stage) -> list[tuple[object, ...]]:
    rows = await stage.fetch("select status, shown from publication.published order by listing_id")
    return [tuple(row) for row in rows]


async def test_an_accepted_file_keeps_its_attempts_open_until_its_result_is_told(
    stage: Stage,
) -> None:
    channel = an_importing_channel()
    worker = await a_worker(stage, channel)

    await stage.figures(worker, a_figure("SKU-1", 4, 1), a_figure("SKU-2", 0, 1))
    await eventually(lambda: len(channel.asked) >= 3)
    before, acknowledged = await attempts(stage), await standing(stage)
    channel.finish("import-1")

    assert sorted(before) == [(1, 4, "import-1", None), (2, 0, "import-1", None)]
    assert acknowledged == []
    await is_closed(stage, (1, 4, "import-1", "acknowledged"), (2, 0, "import-1", "acknowledged"))
    assert await standing(stage) == [("acknowledged", 4), ("acknowledged", 0)]


async def test_one_file_at_a_time_gathers_all_that_changes_meanwhile_zeros_first(
    stage: Stage,
) -> None:
    channel = an_importing_channel()
    worker = await a_worker(stage, channel)
    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 2)

    await stage.figures(worker, a_figure("SKU-1", 3, 2), a_figure("SKU-2", 50, 2))
    await stage.figures(worker, a_figure("SKU-1", 2, 3))
    await stage.figures(worker, a_figure("SKU-3", 0, 3))
    await eventually(lambda: len(channel.asked) >= 4)
    alone = dict(channel.files)
    channel.finish("import-1")
    await eventually(lambda: "import-2" in channel.files)

    assert alone == {"import-1": {"c1": 4}}
    assert list(channel.files["import-2"].items()) == [("c3", 0), ("c1", 2), ("c2", 50)]


async def test_what_waits_while_a_file_is_handed_in_waits_for_its_result_as_well(
    stage: Stage,
) -> None:
    channel = an_importing_channel()
    channel.hold = asyncio.Event()
    worker = await a_worker(stage, channel)
    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await stage.figures(worker, a_figure("SKU-2", 5, 2))

    channel.hold.set()
    await eventually(lambda: len(channel.asked) >= 3)

    assert channel.files == {"import-1": {"c1": 4}}
    assert 2 in worker.lane.queue


async def test_the_pace_counts_files_and_not_the_questions_for_their_results(stage: Stage) -> None:
    channel = an_importing_channel(calls_per_second=1 / 60)
    worker = await a_worker(stage, channel)

    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 5)
    channel.finish("import-1")
    await stage.figures(worker, a_figure("SKU-2", 4, 2))
    await is_closed(stage, (1, 4, "import-1", "acknowledged"))

    assert list(channel.files) == ["import-1"]
    assert 2 in worker.lane.queue


async def test_each_line_of_a_result_has_its_own_fate(stage: Stage) -> None:
    channel = an_importing_channel()
    worker = await a_worker(stage, channel)

    await stage.figures(worker, *[a_figure(f"SKU-{i}", 9, 1) for i in (1, 2, 3)])
    await eventually(lambda: len(channel.asked) >= 1)
    channel.finish("import-1", c2=Refused(code="offer_unknown"), c3=Failed(code="locked"))
    await eventually(lambda: "import-2" in channel.files)
    channel.finish("import-2")

    await is_closed(
        stage, (1, 9, "import-1", "acknowledged"), (2, 9, "import-1", "refused"),
        (3, 9, "import-1", "failed"), (3, 9, "import-2", "acknowledged"),
    )  # fmt: skip


async def test_a_channel_that_is_away_is_asked_again_and_nothing_is_sent_twice(
    stage: Stage,
) -> None:
    channel = an_importing_channel()
    channel.is_away = True
    worker = await a_worker(stage, channel)
    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 3)

    channel.finish("import-1")
    channel.is_away = False

    await is_closed(stage, (1, 4, "import-1", "acknowledged"))
    assert list(channel.files) == ["import-1"]


@pytest.mark.parametrize(
    ("can_read_back", "files"),
    [
        pytest.param(True, 1, id="it_is_read_back"),
        pytest.param(False, 2, id="else_the_latest_is_sent_again"),
    ],
)
async def test_a_result_that_never_comes_is_an_unknown_outcome(
    stage: Stage, can_read_back: bool, files: int
) -> None:
    channel = an_importing_channel(can_read_back=can_read_back, result_seconds_max=0.2)
    worker = await a_worker(stage, channel)
    channel.shown["c1"] = 4  # it was applied; only its result was lost

    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.files) == files)
    if not can_read_back:
        channel.finish("import-2")

    async def is_known() -> bool:
        return await standing(stage) == [("acknowledged", 4)]

    await eventually(is_known)
    assert (await attempts(stage))[0] == (1, 4, "import-1", "unknown")
    assert len(channel.files) == files


async def test_a_new_owner_asks_on_with_the_receipt_instead_of_sending_again(stage: Stage) -> None:
    channel = an_importing_channel(can_read_back=False, result_seconds_max=60.0)
    first = await a_worker(stage, channel)
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 1)

    await first.kill()
    second = stage.worker_for(channel, BRIEF)
    await stage.figures(second, a_figure("SKU-1", 3, 2))
    second.start()
    await second.is_serving()
    asked = len(channel.asked)
    await eventually(lambda: len(channel.asked) > asked + 1)
    alone = dict(channel.files)
    channel.finish("import-1")
    await eventually(lambda: "import-2" in channel.files)
    channel.finish("import-2")

    assert alone == {"import-1": {"c1": 4}}
    await is_closed(stage, (1, 4, "import-1", "acknowledged"), (1, 3, "import-2", "acknowledged"))
    assert channel.shown == {"c1": 3}


async def test_an_owner_that_closes_leaves_its_file_to_the_next_one_at_once(stage: Stage) -> None:
    channel = an_importing_channel(result_seconds_max=60.0)
    slow = LaneOptions(lease_seconds=60.0, renew_seconds=1.0)
    first = stage.worker_for(channel, slow)
    await stage.tell(first, a_channel(), a_listing("SKU-1", "c1"))
    first.start()
    await first.is_serving()
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 1)

    await first.stop()
    second = stage.worker_for(channel, slow)
    second.start()
    await eventually(lambda: second.lane.is_serving, seconds=3.0)
    channel.finish("import-1")

    await is_closed(stage, (1, 4, "import-1", "acknowledged"))


async def test_a_crash_between_the_file_and_its_receipt_is_read_back(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = an_importing_channel()
    first = await a_worker(stage, channel)

    async def dies(*_: object) -> None:
        raise RuntimeError("killed here")

    monkeypatch.setattr(first.lane, "_await_result", dies)
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await eventually(lambda: "import-1" in channel.files)
    channel.finish("import-1")
    await first.kill()
    second = stage.worker_for(channel, BRIEF)
    second.start()

    async def is_known() -> bool:
        return await standing(stage) == [("acknowledged", 4)]

    await eventually(is_known)
    assert list(channel.files) == ["import-1"]
    assert channel.asked == []


async def test_the_end_of_asking_outlives_the_owner(stage: Stage) -> None:
    channel = an_importing_channel(result_seconds_max=60.0)
    worker = await a_worker(stage, channel)

    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await eventually(lambda: len(channel.asked) >= 1)

    rows = await stage.fetch("select deadline from publication.attempts")
    left = (rows[0]["deadline"] - datetime.now(UTC)).total_seconds()
    assert 50 < left <= 60
