"""The Mirakl connector against its simulator: files, results, the frequency contract, faults."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest
import pytest_asyncio

from services.publication.app import connector_of
from services.publication.channels import Answer, ChannelAway
from services.publication.channels.mirakl import Mirakl, Pace, judged, stock_file
from services.publication.domain.outcomes import (
    Accepted,
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Throttled,
    Unknown,
)
from services.publication.domain.wanting import Desired
from services.publication.settings import PublicationSettings
from services.simulators.mirakl import KEY, SHOP_ID, MiraklSimulator
from tests.conformance.publication import stage as stages
from tests.conformance.publication.stage import Stage, a_channel, a_figure, eventually, serving
from tests.unit.publication.builders import a_listing, wanted

SPEED = 600.0  # a minute of the marketplace is a tenth of a second
# Twice the contract, because calls of a busy machine arrive less evenly than they leave.
IN_STEP = Pace(import_seconds=0.2, status_seconds=0.05, report_seconds=0.2, patience_seconds=20)


def an_offer(number: int, value: int, **overrides: Any) -> Desired:
    """What offer `SKU-number` should show."""
    return wanted(number, value, listing=a_listing(number, code=f"SKU-{number}"), **overrides)


class Bench:
    """A marketplace with 200 offers of 10 units, and a connector to it."""

    def __init__(self, url: str, simulator: MiraklSimulator) -> None:
        self.url, self.simulator = url, simulator
        self.connector = Mirakl(url=url, api_key=KEY, pace=IN_STEP, timeout_seconds=1.0)

    async def publish(self, *batch: Desired) -> list[Outcome]:
        answer = await self.connector.publish(batch, "key")
        return [answer.outcomes[d.listing_id] for d in batch]

    async def result(self, receipt: str, batch: Sequence[Desired]) -> list[Outcome]:
        """Ask until there is a result."""
        found: list[Answer] = []

        async def is_there() -> bool:
            answer = await self.connector.result(receipt, batch)
            found.extend([] if answer is None else [answer])
            return answer is not None

        await eventually(is_there)
        return [found[0].outcomes[d.listing_id] for d in batch]

    def shown(self, number: int) -> int:
        return self.simulator.marketplace.offers[f"SKU-{number}"].quantity


@pytest_asyncio.fixture(loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    simulator = MiraklSimulator(speed=SPEED)
    simulator.stock(200, 10)
    async with serving(simulator.app) as url:
        made = Bench(url, simulator)
        yield made
        await made.connector.close()


def receipt_of(outcome: Outcome) -> str:
    assert isinstance(outcome, Accepted), outcome
    return outcome.receipt


def test_the_file_has_mirakls_columns_and_a_line_per_offer_by_sku() -> None:
    written = {'b;"x"': wanted(1, 7), "a": wanted(2, 0)}

    file = stock_file(written, "W1").decode()

    assert file == (
        '"offer-sku";"quantity";"warehouse-code";"update-delete"\n'
        '"a";"0";"W1";""\n"b;""x""";"7";"W1";""\n'
    )


async def test_a_file_is_accepted_whole_and_acknowledged_later(bench: Bench) -> None:
    batch = [an_offer(1, 5), an_offer(2, 6)]

    outcomes = await bench.publish(*batch)
    before = bench.shown(1)
    results = await bench.result(receipt_of(outcomes[0]), batch)

    assert outcomes == [Accepted(receipt="1001")] * 2
    assert before == 10
    assert results == [Acknowledged(), Acknowledged()]
    assert (bench.shown(1), bench.shown(2)) == (5, 6)
    assert bench.simulator.frequencies.counts == {}


async def test_lines_in_error_are_refused_and_the_others_taken(bench: Bench) -> None:
    """Whoever asks after a takeover has the batch in another order."""
    batch = [an_offer(9, 1), an_offer(404, 5), an_offer(3, 2), an_offer(405, 5)]
    receipt = receipt_of((await bench.publish(*batch))[0])

    results = await bench.result(receipt, [batch[i] for i in (3, 0, 2, 1)])

    missing = Refused(code="line_in_error", detail="The offer does not exist")
    assert results == [missing, Acknowledged(), Acknowledged(), missing]
    assert (bench.shown(9), bench.shown(3)) == (1, 2)
    assert bench.simulator.frequencies.counts == {}


async def test_ids_that_make_no_sense_never_go_into_the_file(bench: Bench) -> None:
    named = wanted(1, 3, listing=a_listing(1, code="x", ids={"offer_sku": "SKU-1"}))
    twin, broken = an_offer(2, 4), wanted(3, 4, listing=a_listing(3, code="a\nb"))
    other = wanted(4, 4, listing=a_listing(4, code="SKU-2"))

    outcomes = await bench.publish(named, twin, broken, other)
    none = await bench.publish(broken)
    results = await bench.result(receipt_of(outcomes[0]), [named, twin])

    assert outcomes[2:] == [
        Refused(code="listing_ids_invalid"), Refused(code="listing_ids_doubled"),
    ]  # fmt: skip
    assert none == [Refused(code="listing_ids_invalid")]
    assert results == [Acknowledged(), Acknowledged()]
    assert (bench.shown(1), bench.shown(2)) == (3, 4)


async def test_an_import_that_fails_is_repeated_and_one_that_is_gone_is_unknown(
    bench: Bench,
) -> None:
    bench.simulator.imports.failing = 1
    batch = [an_offer(1, 5)]
    receipt = receipt_of((await bench.publish(*batch))[0])

    failed = await bench.result(receipt, batch)
    gone = await bench.result("77", batch)

    assert failed == [Failed(code="import_failed", detail=receipt)]
    assert gone == [Unknown(code="import_unknown", detail="77")]
    assert bench.shown(1) == 10


async def test_asking_too_early_makes_no_call(bench: Bench) -> None:
    batch = [an_offer(404, 5)]
    receipt = receipt_of((await bench.publish(*batch))[0])
    asked = bench.simulator.calls.requests

    answers = [await bench.connector.result(receipt, batch) for _ in range(5)]

    assert answers == [None] * 5
    assert bench.simulator.calls.requests == asked + 1
    await bench.result(receipt, batch)
    assert bench.simulator.frequencies.counts == {}


async def test_two_reports_of_errors_are_fetched_a_minute_apart(bench: Bench) -> None:
    loop, batches, receipts = (
        asyncio.get_running_loop(),
        [[an_offer(404, 5)], [an_offer(405, 5)]],
        [],
    )
    for batch in batches:
        receipts.append(receipt_of((await bench.publish(*batch))[0]))
        sent_at = loop.time()
        await eventually(lambda since=sent_at: loop.time() > since + IN_STEP.import_seconds)

    results = [await bench.result(r, b) for r, b in zip(receipts, batches, strict=True)]

    assert [type(outcomes[0]) for outcomes in results] == [Refused, Refused]
    assert bench.simulator.frequencies.counts == {}


async def test_a_second_import_within_the_minute_is_throttled(bench: Bench) -> None:
    bench.simulator.frequencies.__init__(1.0)  # type: ignore[misc]  # the contract at full length

    outcomes = [(await bench.publish(an_offer(1, n)))[0] for n in (1, 2)]

    assert [type(o) for o in outcomes] == [Accepted, Throttled]
    assert bench.simulator.frequencies.counts == {"STO01": 1}


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param(
            {"kind": "throttle", "seconds": 3}, Throttled(retry_after_seconds=3.0), id="throttled"
        ),
        pytest.param({"kind": "error"}, Unknown, id="an_error_may_have_taken_the_file"),
        pytest.param({"kind": "unavailable"}, Failed, id="maintenance"),
        pytest.param({"kind": "nonsense"}, Unknown, id="200_without_an_import_id"),
        pytest.param({"kind": "hang", "seconds": 3}, Unknown, id="a_hang"),
        pytest.param({"kind": "lost_answer"}, Unknown, id="a_lost_answer"),
    ],
)
async def test_what_goes_wrong_with_a_file_has_an_outcome_for_each_line(
    bench: Bench, fault: dict[str, Any], outcome: Any
) -> None:
    bench.simulator.faults.set([{"calls": 1, **fault}])

    outcomes = await bench.publish(an_offer(1, 5), an_offer(2, 5))

    assert outcomes[0] == outcomes[1]
    assert outcomes[0] == outcome or isinstance(outcomes[0], outcome)


@pytest.mark.parametrize("kind", ["throttle", "error", "unavailable", "nonsense", "hang"])
async def test_a_channel_that_cannot_be_asked_is_away(bench: Bench, kind: str) -> None:
    bench.simulator.faults.set([{"kind": kind, "calls": 1, "seconds": 3}])

    with pytest.raises(ChannelAway) as caught:
        await bench.connector.result("1001", [an_offer(1, 5)])

    assert caught.value.retry_after_seconds == (3.0 if kind == "throttle" else None)


async def test_a_wrong_key_and_nobody_at_all_are_failures(bench: Bench) -> None:
    stranger = Mirakl(url=bench.url, api_key="wrong", pace=IN_STEP)
    nobody = Mirakl(url="http://127.0.0.1:9", api_key=KEY, pace=IN_STEP)
    batch = [an_offer(1, 5)]

    answers = [await one.publish(batch, "key") for one in (stranger, nobody)]
    with pytest.raises(ChannelAway, match="HTTP 401"):
        await stranger.result("1001", batch)
    with pytest.raises(ChannelAway, match="ClientConnector"):
        await nobody.result("1001", batch)
    await stranger.close()
    await nobody.close()

    codes = [o.code for a in answers for o in a.outcomes.values() if isinstance(o, Failed)]
    assert codes == ["http_401", "unreachable"]


async def test_a_refused_file_of_one_is_that_ones_fault(bench: Bench) -> None:
    """The shop's id is wrong: 403; a file that cannot be read at all: 400."""
    elsewhere = Mirakl(url=bench.url, api_key=KEY, shop_id=SHOP_ID + 1, pace=IN_STEP)

    answer = await elsewhere.publish([an_offer(1, 5)], "key")
    await elsewhere.close()

    assert answer.outcomes[1] == Failed(code="http_403", detail="The shop is not one of the user's")


@pytest.mark.parametrize(
    ("report", "errors", "expected"),
    [
        pytest.param(
            '"line-number";"error-reason"\n"3";"no offer"\n', 1, [None, "no offer", None],
            id="by_the_line_number",
        ),
        pytest.param('4;"bad"\n', 1, [None, None, "bad"], id="without_a_header"),
        pytest.param(
            '"l";"r";"offer-sku"\n"9";"no";"a"\n', 1, ["no", None, None], id="the_sku_goes_before"
        ),
        pytest.param('"3";"no offer"\n', 2, ["?", "no offer", "?"], id="fewer_than_counted"),
        pytest.param('"99";"beyond"\n', 1, ["?", "?", "?"], id="a_line_that_is_not_there"),
        pytest.param("<html>", 1, ["?", "?", "?"], id="nonsense"),
        pytest.param("", 0, ["?", "?", "?"], id="a_report_of_nothing"),
    ],
)  # fmt: skip
def test_what_a_report_does_not_say_is_unknown(
    report: str, errors: int, expected: list[str | None]
) -> None:
    batch = [wanted(i, 5, listing=a_listing(i, code=code)) for i, code in enumerate("abc", 1)]

    outcomes = judged(report, batch, errors)

    told = [outcomes[i] for i in (1, 2, 3)]
    assert [
        o.detail if isinstance(o, Refused) else "?" if isinstance(o, Unknown) else None
        for o in told
    ] == expected


async def test_nothing_is_read_back(bench: Bench) -> None:
    assert not bench.connector.descriptor.can_read_back
    assert not bench.connector.descriptor.is_synchronous
    with pytest.raises(ChannelAway):
        await bench.connector.read_back([a_listing(1)])


def test_a_marketplace_is_configured_within_the_documented_limits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(
        "STOCKTIDE_PUBLICATION_CHANNELS",
        '{"m": {"kind": "mirakl", "url": "https://shop.example/", "api_key": "k", "shop_id": 7}}',
    )

    connector = connector_of(PublicationSettings().channels["m"])

    assert isinstance(connector, Mirakl)
    told = connector.descriptor
    assert told.calls_per_second is not None
    assert told.calls_per_second <= 1 / 60
    assert (told.result_seconds >= 15, told.calls_at_once, told.batch_max) == (True, 1, 50_000)


@pytest.mark.parametrize(
    ("slowness", "is_early"),
    [
        pytest.param(2.0, False, id="within_the_contract"),
        pytest.param(0.5, True, id="twice_as_often_as_the_marketplace_takes"),
    ],
)
async def test_through_the_engine_every_offer_ends_at_its_last_value(
    stage: Stage, bench: Bench, slowness: float, is_early: bool
) -> None:
    """An import fails, an answer is lost, a limit is halved: nothing is lost for it."""
    pace = Pace(
        import_seconds=0.1 * slowness, status_seconds=0.025 * slowness,
        report_seconds=0.1 * slowness, patience_seconds=5,
    )  # fmt: skip
    connector = Mirakl(url=bench.url, api_key=KEY, pace=pace, batch_max=100, timeout_seconds=1.0)
    worker = stage.worker_for(connector)
    skus = [f"SKU-{n}" for n in range(1, 201)]
    listings = [stages.a_listing(sku, sku) for sku in (*skus, "SKU-404")]
    await stage.tell(worker, a_channel(), *listings)
    worker.start()
    await worker.is_serving()
    bench.simulator.imports.failing = 2  # one of them is the import whose answer is lost
    bench.simulator.faults.set([{"kind": "lost_answer", "calls": 1}])

    for version in range(1, 4):
        figures = [a_figure(sku, version * 7, version) for sku in (*skus, "SKU-404")]
        await stage.figures(worker, *figures)
    await eventually(lambda: {bench.shown(n) for n in range(1, 201)} == {21}, seconds=30)

    async def is_settled() -> bool:
        query = "select count(*) from publication.attempts where closed_at is null"
        return bool((await stage.fetch(query))[0][0] == 0)

    await eventually(is_settled)
    query = "select distinct outcome, code from publication.attempts"
    fates = {(row["outcome"], row["code"]) for row in await stage.fetch(query)}
    await worker.stop()
    await connector.close()
    assert (bench.simulator.frequencies.counts.total() > 0) is is_early
    assert {("refused", "line_in_error"), ("failed", "import_failed")} <= fates
