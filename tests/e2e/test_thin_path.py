"""The thin path: a sale at a till lowers what the web shop shows, through every service."""

from services.cli.demo.world import WEBSHOP
from tests.e2e.conftest import Chain


async def test_the_opening_stock_is_shown_less_its_buffers(chain: Chain) -> None:
    shown = await chain.shown("quince")

    assert shown == (5 - 1) + (3 - 1) - 2


async def test_a_sale_on_kafka_lowers_the_figure_in_the_shop(chain: Chain) -> None:
    before = await chain.shown("apple")
    await chain.watch.look()
    measured = chain.watch.propagation[WEBSHOP].latencies().count

    await chain.sell("apple", "store-1", 2, basket=1)
    await chain.rest()
    await chain.watch.look()

    assert before is not None
    assert await chain.shown("apple") == before - 2
    latencies = chain.watch.propagation[WEBSHOP].latencies()
    assert latencies.count == measured + 1
    assert latencies.max is not None
    assert latencies.max < 5_000


async def test_a_unit_behind_the_buffer_is_no_news_to_the_shop(chain: Chain) -> None:
    await chain.watch.look()
    shown, calls = await chain.shown("apple"), chain.watch.books[WEBSHOP].items

    # store-1 has 2 left; the second of them is the one that the buffer holds back
    await chain.sell("apple", "store-1", 1, basket=2)
    await chain.sell("apple", "store-1", 1, basket=3)
    await chain.rest()
    await chain.watch.look()

    assert shown is not None
    assert await chain.shown("apple") == shown - 1
    assert chain.watch.books[WEBSHOP].items in (calls + 1, calls + 2)


async def test_every_invariant_holds_on_what_the_services_did(chain: Chain) -> None:
    verdicts = await chain.checker().check()

    assert {verdict.name: list(verdict.evidence) for verdict in verdicts if verdict.evidence} == {}
    assert len(verdicts) >= 10
