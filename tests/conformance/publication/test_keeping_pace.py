"""A new owner keeps the pace of its predecessor: the publication ledger knows the moment."""

import pytest

from services.publication.engine import LaneOptions
from tests.conformance.publication.channels import an_importing_channel
from tests.conformance.publication.stage import (
    CHANNEL,
    Stage,
    Worker,
    a_channel,
    a_figure,
    a_listing,
    eventually,
)

BRIEF = LaneOptions(lease_seconds=1.2, renew_seconds=0.2)
MINUTE_SECONDS = 61.0


async def a_worker(stage: Stage, call_every: float) -> Worker:
    """One import in so many seconds."""
    channel = an_importing_channel(calls_per_second=1 / call_every)
    worker = stage.worker_for(channel, BRIEF)
    await stage.tell(worker, a_channel(), a_listing("SKU-1", "c1"), a_listing("SKU-2", "c2"))
    worker.start()
    await worker.is_serving()
    return worker


def wait_seconds(worker: Worker) -> float:
    """Until the next call may go."""
    wait = worker.lane.traffic.wait_seconds(worker.lane._clock.monotonic())
    assert wait is not None, "nothing is being tried"
    return wait


async def is_called(stage: Stage, calls: int = 1) -> None:
    async def found() -> bool:
        return len(await stage.fetch("select 1 from publication.attempts")) == calls

    await eventually(found)


@pytest.mark.parametrize("how", ["closed", "killed"])
async def test_a_takeover_within_the_minute_waits_for_its_end(stage: Stage, how: str) -> None:
    first = await a_worker(stage, MINUTE_SECONDS)
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await is_called(stage)

    await (first.stop() if how == "closed" else first.kill())
    second = await a_worker(stage, MINUTE_SECONDS)
    await stage.figures(second, a_figure("SKU-2", 5, 1))

    assert MINUTE_SECONDS - 15 < wait_seconds(second) <= MINUTE_SECONDS
    assert len(second.lane.queue) == 1
    await is_called(stage)


async def test_a_takeover_after_the_pause_calls_at_once(stage: Stage) -> None:
    first = await a_worker(stage, MINUTE_SECONDS)
    await stage.figures(first, a_figure("SKU-1", 4, 1))
    await is_called(stage)
    await first.stop()
    await stage.fetch(
        "update publication.attempts set opened_at = now() - interval '70 seconds' returning 1"
    )

    second = await a_worker(stage, MINUTE_SECONDS)

    assert wait_seconds(second) == 0.0


async def test_what_shadow_mode_would_have_sent_was_no_call(stage: Stage) -> None:
    worker = await a_worker(stage, MINUTE_SECONDS)
    await stage.tell(worker, a_channel("shadow", revision=1))
    await stage.figures(worker, a_figure("SKU-1", 4, 1))
    await is_called(stage)

    assert await worker.store.seconds_since_call(CHANNEL, 60.0) is None
