"""The WooCommerce connector against its simulator: limits, error shapes, faults, read-back."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from services.publication.channels import ChannelAway
from services.publication.channels.woocommerce import WooCommerce
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Throttled,
    Unknown,
)
from services.publication.domain.wanting import Desired
from services.simulators.shop import Entry
from services.simulators.woocommerce import KEY, SECRET, WooCommerceSimulator
from tests.conformance.publication.stage import a_connector, serving
from tests.unit.publication.builders import a_listing, wanted


class Bench:
    """A shop of 200 products and one variable product, and a connector to it."""

    def __init__(self, url: str, shop: WooCommerceSimulator) -> None:
        self.url, self.shop = url, shop
        self.connector: WooCommerce = a_connector(url)

    async def post(self, path: str, body: Mapping[str, Any], secret: str = SECRET) -> Any:
        headers = {"Authorization": aiohttp.encode_basic_auth(KEY, secret)}
        async with aiohttp.ClientSession(headers=headers) as session:
            url = f"{self.url}/wp-json/wc/v3/{path}"
            async with session.post(url, json=body) as response:
                return response.status, await response.json()

    async def publish(self, *batch: Desired) -> list[Outcome]:
        answer = await self.connector.publish(batch, "key")
        return [answer.outcomes[d.listing_id] for d in batch]


@pytest_asyncio.fixture(loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    shop = WooCommerceSimulator()
    shop.stock(200, 10)
    for entry in (901, 902):
        shop.shop.add(Entry(id=entry, parent=200, manage_stock=True, stock_quantity=1))
    async with serving(shop.app) as url:
        made = Bench(url, shop)
        yield made
        await made.connector.close()


async def test_woo_101_items(bench: Bench) -> None:
    """create, update and delete count together; the connector never sends more than 100."""
    update = [{"id": i, "stock_quantity": 1} for i in range(1, 101)]

    status, error = await bench.post("products/batch", {"update": update, "delete": [200]})
    whole, _ = await bench.post("products/batch", {"update": update})

    assert status == 413
    assert error["code"] == "woocommerce_rest_request_entity_too_large"
    assert error["data"] == {"status": 413}
    assert whole == 200
    assert bench.connector.descriptor.batch_max == 100
    assert WooCommerce(
        url=bench.url, key=KEY, secret=SECRET, batch_max=250
    ).descriptor.batch_max == (100)


async def test_a_batch_is_applied_and_acknowledged_entry_by_entry(bench: Bench) -> None:
    outcomes = await bench.publish(wanted(1, 5), wanted(404, 5), wanted(2, 6), wanted(901, 7))

    assert [type(o) for o in outcomes] == [Acknowledged, Refused, Acknowledged, Refused]
    codes = [o.code for o in outcomes if isinstance(o, Refused)]
    assert codes == ["woocommerce_rest_product_invalid_id", "woocommerce_rest_invalid_product_id"]
    assert bench.shop.shop.entries[1].stock_quantity == 5


async def test_variations_go_through_their_product(bench: Bench) -> None:
    variation = a_listing(901, ids={"product_id": "200", "variation_id": "901"})
    stranger = a_listing(7, ids={"product_id": "200", "variation_id": "7"})
    assert bench.connector.group_of(variation) == "200"
    assert bench.connector.group_of(a_listing(1)) == ""

    outcomes = await bench.publish(
        wanted(901, 4, listing=variation), wanted(7, 4, listing=stranger)
    )

    assert isinstance(outcomes[0], Acknowledged)
    assert isinstance(outcomes[1], Refused)
    assert bench.shop.shop.entries[901].stock_quantity == 4
    assert dict(await bench.connector.read_back([variation, stranger])) == {901: 4, 7: None}


async def test_ids_that_make_no_sense_are_refused_without_a_call(bench: Bench) -> None:
    named = wanted(1, 5, listing=a_listing(1, code="mug"))
    orphan = wanted(2, 5, listing=a_listing(2, ids={"variation_id": "902"}))
    first, twin = wanted(3, 5), wanted(4, 6, listing=a_listing(4, code="3"))

    outcomes = [*await bench.publish(named, orphan), *await bench.publish(first, twin)]

    assert [getattr(o, "code", None) for o in outcomes] == [
        "listing_ids_invalid", "listing_ids_invalid", None, "listing_ids_doubled",
    ]  # fmt: skip
    assert bench.shop.calls.requests == 1
    assert bench.shop.shop.entries[3].stock_quantity == 5


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param(
            {"kind": "throttle", "seconds": 3}, Throttled(retry_after_seconds=3.0), id="throttled"
        ),
        pytest.param({"kind": "error"}, Unknown, id="an_error_half_way_through_is_unknown"),
        pytest.param({"kind": "unavailable"}, Failed, id="maintenance_applied_nothing"),
        pytest.param({"kind": "nonsense"}, Unknown, id="html_with_200_is_no_answer"),
        pytest.param({"kind": "lost_answer"}, Unknown, id="a_gateway_that_lost_the_answer"),
        pytest.param({"kind": "hang", "seconds": 1.2}, Unknown, id="a_call_that_hangs"),
    ],
)
async def test_faults_are_what_they_are(
    bench: Bench, fault: dict[str, Any], outcome: type[Outcome] | Outcome
) -> None:
    bench.shop.faults.set([fault | {"calls": 1}])

    (found,) = await bench.publish(wanted(1, 5))

    assert found == outcome if isinstance(outcome, Throttled) else type(found) is outcome


async def test_one_bad_entry_fails_alone(bench: Bench) -> None:
    bench.shop.faults.set([{"kind": "bad_entry", "entry": 2, "calls": 1}])

    outcomes = await bench.publish(wanted(1, 5), wanted(2, 5))

    assert [type(o) for o in outcomes] == [Acknowledged, Failed]


async def test_wrong_credentials_lose_nothing(bench: Bench) -> None:
    connector = WooCommerce(url=bench.url, key=KEY, secret="wrong")

    answer = await connector.publish([wanted(1, 5)], "key")
    await connector.close()

    outcome = answer.outcomes[1]
    assert isinstance(outcome, Failed)
    assert outcome.code == "woocommerce_rest_cannot_view"


async def test_a_shop_that_is_not_there_has_certainly_taken_nothing() -> None:
    connector = a_connector("http://127.0.0.1:9")

    answer = await connector.publish([wanted(1, 5)], "key")
    with pytest.raises(ChannelAway):
        await connector.read_back([a_listing(1)])
    await connector.close()

    outcome = answer.outcomes[1]
    assert isinstance(outcome, Failed)
    assert outcome.code == "unreachable"


async def test_the_shops_own_smaller_limit_asks_for_smaller_calls(bench: Bench) -> None:
    bench.shop.entries_max = 1

    outcomes = await bench.publish(wanted(1, 5), wanted(2, 5))

    assert all(isinstance(o, Failed) and o.is_oversized for o in outcomes)


async def test_reading_back_shows_quantities_and_what_has_none(bench: Bench) -> None:
    bench.shop.shop.entries[2].manage_stock = False

    found = await bench.connector.read_back([a_listing(1), a_listing(2), a_listing(404)])

    assert dict(found) == {1: 10, 2: None, 404: None}


async def test_a_channel_that_cannot_be_read_says_how_long_to_wait(bench: Bench) -> None:
    bench.shop.faults.set([{"kind": "throttle", "seconds": 4, "calls": 1}])

    with pytest.raises(ChannelAway) as raised:
        await bench.connector.read_back([a_listing(1)])

    assert raised.value.retry_after_seconds == 4.0
