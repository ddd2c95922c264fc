"""An order at one shop: heard by webhook, booked, shown at the others, sent, and come back."""

from tests.e2e.conftest import Chain


async def test_a_purchase_in_one_shop_lowers_the_figure_in_the_others(chain: Chain) -> None:
    await chain.rest()
    before = {channel: await chain.shown("plum", channel) for channel in chain.shops}

    purchase = await chain.shop.buy({chain.world.entries["plum"]: 2})
    await chain.rest()

    assert purchase is not None
    after = {channel: await chain.shown("plum", channel) for channel in chain.shops}
    assert after == {channel: (shown or 0) - 2 for channel, shown in before.items()}


async def test_a_cancelled_order_is_for_sale_again(chain: Chain) -> None:
    before = await chain.shown("apple", "shopify")
    purchase = await chain.shop.buy({chain.world.entries["apple"]: 1})
    assert purchase is not None
    await chain.rest()
    meanwhile = await chain.shown("apple", "shopify")

    await chain.shop.cancel(purchase)
    await chain.rest()

    assert before is not None
    assert meanwhile == before - 1
    assert await chain.shown("apple", "shopify") == before


async def test_what_was_ordered_is_sent_once_and_graded_when_it_comes_back(chain: Chain) -> None:
    purchase = await chain.shop.buy({chain.world.entries["plum"]: 1})
    graded = chain.bench.graded.total()

    await chain.send_parcels()

    assert purchase is not None
    line = purchase.order_id, str(purchase.lines[0])
    assert chain.bench.sent_units()[line] == 1
    assert chain.bench.graded.total() > graded
    verdicts = await chain.checker().check()
    assert {verdict.name: list(verdict.evidence) for verdict in verdicts if verdict.evidence} == {}
