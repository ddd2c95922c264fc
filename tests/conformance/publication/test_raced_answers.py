"""A fold decides, records, and queues only then: an answer in between is not forgotten."""

from dataclasses import replace

from tests.conformance.publication.channels import a_comparing_channel
from tests.conformance.publication.hearing import PATIENT, a_worker, told
from tests.conformance.publication.stage import CHANNEL, Stage, a_figure, eventually


async def test_a_figure_that_was_decided_before_an_answer_compares_with_what_it_brought(
    stage: Stage,
) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)
    rows = await stage.fetch("select listing_id from publication.listings")
    [before] = await worker.store.listings([rows[0]["listing_id"]])
    await stage.figures(worker, a_figure("SKU-1", 4, 2))
    await eventually(lambda: channel.shown["c1"] == 4)
    await eventually(lambda: not worker.engine.lanes[CHANNEL].queue.busy)

    worker.engine.lanes[CHANNEL].put(replace(before.desired, version=3, value=3, target=3))

    await eventually(lambda: channel.shown["c1"] == 3)
    assert channel.stale == 0
    assert channel.writes[-1] == ("c1", 4, 3)
