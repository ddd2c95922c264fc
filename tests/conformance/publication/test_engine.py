"""What the engine does for every connector, seen at the shop: who is told what, when, how often."""

from typing import Any

import pytest

from tests.conformance.publication.stage import (
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)


async def a_live_worker(stage: Stage, products: int, **connector: Any) -> Worker:
    worker = stage.worker(**connector)
    await stage.catalogue(worker, products)
    worker.start()
    await worker.is_serving()
    return worker


async def is_published(stage: Stage, wanted: tuple[str, int]) -> None:
    async def is_so() -> bool:
        rows = await stage.fetch("select status, version from publication.published")
        return [tuple(row) for row in rows] == [wanted]

    await eventually(is_so)


async def outcomes(stage: Stage) -> list[str | None]:
    rows = await stage.fetch("select outcome from publication.attempts order by opened_at")
    return [row["outcome"] for row in rows]


async def test_a_new_figure_reaches_the_shop_and_the_ledger(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)

    await stage.figures(worker, a_figure("SKU-1", 7, 1))

    await eventually(lambda: stage.shown(1) == 7)

    async def is_closed() -> bool:
        rows = await stage.fetch("select outcome, version, value from publication.attempts")
        return [tuple(row) for row in rows] == [("acknowledged", 1, 7)]

    await eventually(is_closed)
    await is_published(stage, ("acknowledged", 1))


async def test_redundant_pushes_merged(stage: Stage) -> None:
    """OCA/connector-magento #23: the same value again is no call."""
    worker = await a_live_worker(stage, 1)
    await stage.figures(worker, a_figure("SKU-1", 7, 1))
    await eventually(lambda: stage.shown(1) == 7)

    for version in (2, 3, 4):
        await stage.figures(worker, a_figure("SKU-1", 7, version))
    await stage.figures(worker, a_figure("SKU-1", 6, 5))

    await eventually(lambda: stage.shown(1) == 6)
    assert stage.writes() == [(1, 7), (1, 6)]


async def test_a_version_with_the_value_that_is_shown_is_satisfied_without_a_call(
    stage: Stage,
) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.figures(worker, a_figure("SKU-1", 7, 1))
    await is_published(stage, ("acknowledged", 1))

    await stage.figures(worker, a_figure("SKU-1", 7, 2))

    await is_published(stage, ("satisfied", 2))
    assert stage.writes() == [(1, 7)]


async def test_an_answer_between_a_fold_and_its_record_is_not_overlooked(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.figures(worker, a_figure("SKU-1", 0, 1))
    await is_published(stage, ("acknowledged", 1))
    fold = worker.store.fold

    async def overtaken(*arguments: Any, **more: Any) -> Any:
        """The fold reads 0; then a call with 1 is answered, before the fold is planned."""
        folded = await fold(*arguments, **more)
        stage.shop.shop.entries[1].stock_quantity = 1
        await stage.fetch("update publication.published set shown = 1, version = 2 returning 1")
        return folded

    monkeypatch.setattr(worker.store, "fold", overtaken)
    await stage.figures(worker, a_figure("SKU-1", 0, 3))
    monkeypatch.undo()

    await eventually(lambda: stage.shown(1) == 0)


async def test_what_changes_during_a_call_goes_once_with_its_latest_value(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)
    stage.shop.faults.set([{"kind": "latency", "seconds": 0.3, "calls": 1}])
    await stage.figures(worker, a_figure("SKU-1", 9, 1))

    for version in range(2, 40):
        await stage.figures(worker, a_figure("SKU-1", 50 - version, version))

    await eventually(lambda: stage.shown(1) == 50 - 39)
    assert stage.writes() == [(1, 9), (1, 11)]


async def test_zero_not_behind_the_catalogue(stage: Stage) -> None:
    """amzn/selling-partner-api-models #4823: a sold-out product waits for no bulk update."""
    worker = await a_live_worker(stage, 500, batch_max=10)
    stage.shop.faults.set([{"kind": "latency", "seconds": 0.05}])
    await stage.figures(worker, *[a_figure(f"SKU-{i}", 500 + i, 1) for i in range(1, 501)])

    await stage.figures(worker, a_figure("SKU-499", 2, 2), a_figure("SKU-500", 0, 2))

    await eventually(lambda: stage.shown(500) == 0)
    order = [entry for entry, _ in stage.writes()]
    assert order.index(500) < 40
    await eventually(lambda: stage.shown(499) == 2)
    order = [entry for entry, _ in stage.writes()]
    assert order.index(500) < order.index(499) < 60


async def test_throttled_is_honoured_and_nothing_is_lost(stage: Stage) -> None:
    worker = await a_live_worker(stage, 3)
    stage.shop.faults.set([{"kind": "throttle", "seconds": 1, "calls": 1}])

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in (1, 2, 3)])
    requests = stage.shop.calls.requests
    await stage.figures(worker, a_figure("SKU-1", 5, 2))

    await eventually(lambda: [stage.shown(i) for i in (1, 2, 3)] == [5, 2, 3])
    rows = await stage.fetch(
        "select extract(epoch from max(opened_at) - min(opened_at))::float8 as apart"
        " from publication.attempts"
    )
    assert rows[0]["apart"] >= 0.9
    assert stage.shop.calls.requests <= requests + 2


async def test_an_answer_that_was_lost_is_read_back_and_not_repeated(stage: Stage) -> None:
    worker = await a_live_worker(stage, 2)
    stage.shop.faults.set([{"kind": "lost_answer", "calls": 1}])

    await stage.figures(worker, a_figure("SKU-1", 4, 1), a_figure("SKU-2", 5, 1))

    async def is_known() -> bool:
        rows = await stage.fetch("select status, shown from publication.published order by shown")
        return [tuple(row) for row in rows] == [("acknowledged", 4), ("acknowledged", 5)]

    await eventually(is_known)
    assert sorted(stage.writes()) == [(1, 4), (2, 5)]
    rows = await stage.fetch("select outcome, read_value from publication.attempts order by 2")
    assert [tuple(row) for row in rows] == [("unknown", 4), ("unknown", 5)]


async def test_nonsense_is_no_acknowledgement(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)
    stage.shop.faults.set([{"kind": "nonsense", "calls": 1}])

    await stage.figures(worker, a_figure("SKU-1", 4, 1))

    await eventually(lambda: stage.shown(1) == 4)
    rows = await stage.fetch(
        "select outcome, code, read_value from publication.attempts order by opened_at"
    )
    assert tuple(rows[0]) == ("unknown", "nonsense", 1_000)


async def test_a_call_that_hangs_is_given_up_at_its_deadline_and_read_back(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1, timeout_seconds=0.3)
    stage.shop.faults.set([{"kind": "hang", "seconds": 0.6, "calls": 1}])

    await stage.figures(worker, a_figure("SKU-1", 4, 1))

    await eventually(lambda: stage.shown(1) == 4)

    async def are_closed() -> bool:
        return await outcomes(stage) == ["unknown", "acknowledged"]

    await eventually(are_closed)


async def test_a_channel_that_fails_and_comes_back_is_told_without_an_operator(
    stage: Stage,
) -> None:
    worker = await a_live_worker(stage, 20)
    stage.shop.faults.set([{"kind": "unavailable", "calls": 4}])

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in range(1, 21)])

    await eventually(lambda: all(stage.shown(i) == i for i in range(1, 21)), seconds=20)
    assert len(stage.writes()) == 20


async def test_a_listing_that_the_channel_fulfils_is_never_written(stage: Stage) -> None:
    worker = await a_live_worker(stage, 2)
    await stage.tell(worker, a_listing("SKU-1", "1", fulfilled_by="channel", revision=1))

    await stage.figures(worker, a_figure("SKU-1", 4, 1), a_figure("SKU-2", 4, 1))

    await eventually(lambda: stage.shown(2) == 4)
    assert stage.writes() == [(2, 4)]
    assert len(await outcomes(stage)) == 1


async def test_a_listing_that_turns_to_the_channel_while_it_waits_is_not_written(
    stage: Stage,
) -> None:
    worker = await a_live_worker(stage, 2, batch_max=1)
    stage.shop.faults.set([{"kind": "latency", "seconds": 0.4, "calls": 1}])
    await stage.figures(worker, a_figure("SKU-2", 4, 1))
    await stage.figures(worker, a_figure("SKU-1", 5, 1))

    await stage.tell(worker, a_listing("SKU-1", "1", fulfilled_by="channel", revision=1))
    await stage.figures(worker, a_figure("SKU-2", 6, 2))

    await eventually(lambda: stage.shown(2) == 6)
    assert [entry for entry, _ in stage.writes()] == [2, 2]


async def test_shadow_computes_everything_and_sends_nothing(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 2, mode="shadow")
    worker.start()
    await worker.is_serving()

    await stage.figures(worker, a_figure("SKU-1", 4, 1), a_figure("SKU-2", 4, 1))
    await stage.figures(worker, a_figure("SKU-1", 4, 2), a_figure("SKU-2", 3, 2))

    rows = await stage.fetch(
        "select version, value, outcome from publication.attempts order by version, listing_id"
    )
    assert [tuple(r) for r in rows] == [(1, 4, "shadowed"), (1, 4, "shadowed"), (2, 3, "shadowed")]
    assert stage.shop.calls.requests == 0


async def test_from_shadow_to_live_everything_is_told_once(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 3, mode="shadow")
    worker.start()
    await worker.is_serving()
    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in (1, 2, 3)])

    await stage.tell(worker, a_channel("live", revision=1))

    await eventually(lambda: [stage.shown(i) for i in (1, 2, 3)] == [1, 2, 3])
    assert len(stage.writes()) == 3


async def test_a_channel_that_is_off_or_unknown_is_told_nothing(stage: Stage) -> None:
    worker = stage.worker()
    await stage.catalogue(worker, 1, mode="off")
    worker.start()
    await worker.is_serving()

    await stage.figures(worker, a_figure("SKU-1", 4, 1), a_figure("SKU-1", 4, 1, channel="other"))

    assert await stage.fetch("select 1 from publication.attempts") == []
    assert stage.shop.calls.requests == 0


async def test_an_older_version_is_ignored(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.figures(worker, a_figure("SKU-1", 4, 5))
    await eventually(lambda: stage.shown(1) == 4)

    await stage.figures(worker, a_figure("SKU-1", 9, 3))
    kept = await stage.fetch("select version, available from publication.figures")
    assert [tuple(row) for row in kept] == [(5, 4)]
    await stage.figures(worker, a_figure("SKU-1", 5, 6))

    await eventually(lambda: stage.shown(1) == 5)
    assert stage.writes() == [(1, 4), (1, 5)]


async def test_a_listing_shows_whole_units_of_its_pack(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.tell(worker, a_listing("SKU-1", "1", units_per_listing=6, revision=1))

    await stage.figures(worker, a_figure("SKU-1", 23, 1))

    await eventually(lambda: stage.shown(1) == 3)


async def test_a_listing_that_comes_after_its_figure_is_told(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.figures(worker, a_figure("SKU-9", 3, 1))

    await stage.tell(worker, a_listing("SKU-9", "1", revision=1))

    await eventually(lambda: stage.shown(1) == 3)


async def test_a_refused_listing_is_not_asked_again_before_something_changes(
    stage: Stage,
) -> None:
    worker = await a_live_worker(stage, 1)
    await stage.tell(worker, a_listing("SKU-404", "404"))

    await stage.figures(worker, a_figure("SKU-404", 3, 1), a_figure("SKU-1", 3, 1))
    await eventually(lambda: stage.shown(1) == 3)
    await stage.figures(worker, a_figure("SKU-1", 2, 2))
    await eventually(lambda: stage.shown(1) == 2)

    rows = await stage.fetch(
        "select status, error_code, shown from publication.published where status = 'refused'"
    )
    assert [tuple(row) for row in rows] == [
        ("refused", "woocommerce_rest_product_invalid_id", None)
    ]
    assert stage.shop.calls.requests == 2


async def test_one_entry_that_fails_keeps_no_other_from_being_told(stage: Stage) -> None:
    worker = await a_live_worker(stage, 3)
    stage.shop.faults.set([{"kind": "bad_entry", "entry": 2, "calls": 1}])

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in (1, 2, 3)])

    await eventually(lambda: [stage.shown(i) for i in (1, 2, 3)] == [1, 2, 3])
    assert sorted(stage.writes()) == [(1, 1), (2, 2), (3, 3)]


async def test_a_shop_that_takes_half_the_batch_loses_nothing(stage: Stage) -> None:
    worker = await a_live_worker(stage, 300)
    stage.shop.entries_max = 50

    await stage.figures(worker, *[a_figure(f"SKU-{i}", i, 1) for i in range(1, 301)])

    await eventually(lambda: all(stage.shown(i) == i for i in range(1, 301)))
    assert len(stage.writes()) == 300


async def test_what_cannot_be_read_is_parked_and_the_rest_goes(stage: Stage) -> None:
    worker = await a_live_worker(stage, 1)

    await stage.figures(worker, b"{", a_figure("SKU-1", 4, 1), a_figure("SKU-1", -1, 2))

    await eventually(lambda: stage.shown(1) == 4)
    rows = await stage.fetch("select reason from publication.parked order by kafka_offset")
    assert [row["reason"] for row in rows] == ["malformed", "invalid"]
