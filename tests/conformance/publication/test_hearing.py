"""Which of a channel's own orders count as heard, when, and for which listing."""

from tests.conformance.publication.channels import a_comparing_channel
from tests.conformance.publication.hearing import (
    PATIENT,
    a_worker,
    an_order,
    an_outcome,
    hear,
    told,
)
from tests.conformance.publication.stage import CHANNEL, Stage, a_figure, a_listing, eventually


async def test_an_order_is_not_heard_before_its_time(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel, PATIENT)
    await told(stage, worker, channel, 5)
    channel.buy("c1")

    await hear(stage, worker, an_order("o1"), an_outcome("o1"), after=30.0)
    assert await worker.store.count_heard([CHANNEL], 100) == 0
    await stage.figures(worker, a_figure("SKU-1", 8, 2))

    await eventually(lambda: channel.shown["c1"] == 7)
    rows = await stage.fetch("select heard from publication.listings")
    assert rows[0]["heard"] == 0


async def test_a_cancelled_order_gives_its_units_back(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)
    channel.buy("c1")
    await hear(stage, worker, an_order("o1"), an_outcome("o1"))
    await stage.figures(worker, a_figure("SKU-1", 4, 2))

    async def is_heard(sold: int, back: int) -> bool:
        rows = await stage.fetch("select heard, given_back from publication.listings")
        return tuple(rows[0]) == (sold, back)

    await eventually(lambda: is_heard(1, 0))
    channel.shown["c1"] += 1
    await hear(stage, worker, an_outcome("o1", wanted=0, version=2))
    await stage.figures(worker, a_figure("SKU-1", 5, 3))
    await eventually(lambda: is_heard(1, 1))

    async def is_quiet() -> bool:
        rows = await stage.fetch("select shown, (basis ->> 'unheard')::int as unheard,"
                                 " status from publication.published")  # fmt: skip
        return (rows[0]["shown"], rows[0]["unheard"]) == (5, 0)

    await eventually(is_quiet)
    assert channel.shown["c1"] == 5


async def test_lines_booked_before_the_first_write_are_no_news(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    old = an_outcome("o0") | {"recorded_at": "2026-01-01T00:00:00+00:00"}
    await told(stage, worker, channel, 5)

    await hear(stage, worker, an_order("o0"), old)

    async def is_counted() -> bool:
        rows = await stage.fetch("select counted from publication.order_lines")
        return [row["counted"] for row in rows] == [1]

    await eventually(is_counted)
    rows = await stage.fetch("select heard from publication.listings")
    assert rows[0]["heard"] == 0


async def test_two_listings_of_a_sku_each_hear_their_own_orders(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await stage.tell(worker, a_listing("SKU-1", "c2"))
    await told(stage, worker, channel, 5)
    await eventually(lambda: channel.shown.get("c2") == 5)
    nameless = an_order("o2", listing=None, sku="SKU-1")

    async def is_known() -> bool:
        rows = await stage.fetch("select 1 from publication.published where basis is not null")
        return len(rows) == 2

    await eventually(is_known)
    await hear(stage, worker, an_order("o1"), an_outcome("o1"), nameless, an_outcome("o2"))

    async def is_counted() -> bool:
        rows = await stage.fetch("select counted from publication.order_lines order by 1")
        return [row["counted"] for row in rows] == [1, 1]

    await eventually(is_counted)
    rows = await stage.fetch("select listing, heard from publication.listings order by 1")
    assert [tuple(row) for row in rows] == [("c1", 1), ("c2", 0)]


async def test_an_outcome_that_comes_before_its_order_is_counted_after_it(stage: Stage) -> None:
    channel = a_comparing_channel()
    worker = await a_worker(stage, channel)
    await told(stage, worker, channel, 5)

    await hear(stage, worker, an_outcome("o1"))
    await hear(stage, worker, an_order("o1"))

    async def is_heard() -> bool:
        rows = await stage.fetch("select heard from publication.listings")
        return bool(rows[0]["heard"] == 1)

    await eventually(is_heard)
