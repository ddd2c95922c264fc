"""The Shopify connector against its simulator: limits, error shapes, faults, read-back."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.publication.channels import Answer, ChannelAway
from services.publication.channels.shopify import Shopify
from services.publication.domain.outcomes import (
    Acknowledged,
    Failed,
    Outcome,
    Refused,
    Stale,
    Throttled,
    Unknown,
)
from services.publication.domain.wanting import Desired, Listing
from services.simulators.shopify import TOKEN, ShopifySimulator
from services.simulators.shopify.simulator import LOCATION
from services.simulators.shopify.stock import gid
from tests.conformance.publication.stage import serving
from tests.unit.publication import builders
from tests.unit.simulators.shopify_shop import BUNDLE, ELSEWHERE, Clock, a_simulator


def a_shopify(url: str, **overrides: Any) -> Shopify:
    """A connector to a simulated shop, impatient."""
    options: dict[str, Any] = {"timeout_seconds": 1.0, "location_id": str(LOCATION)}
    return Shopify(url=url, access_token=TOKEN, **options | overrides)


def listed(number: int, item: object = None) -> Listing:
    """A listing of an inventory item."""
    told = str(number if item is None else item)
    return builders.a_listing(number, code=f"variant-{number}", ids={"inventory_item_id": told})


def wanted(number: int, value: int = 5, **overrides: Any) -> Desired:
    """A value of the listing of item `number`, which shows 10."""
    fields: dict[str, Any] = {"listing": listed(number), "shown": 10}
    return builders.wanted(number, value, **fields | overrides)


class Bench:
    """A shop of 300 items with 10 units each, and a connector to it."""

    def __init__(self, url: str, shop: ShopifySimulator, clock: Clock) -> None:
        self.url, self.shop, self.clock = url, shop, clock
        self.connector = a_shopify(url)
        self._keys = 0

    async def answer(self, *batch: Desired, key: str | None = None) -> Answer:
        self._keys += 1
        return await self.connector.publish(batch, key or f"key-{self._keys}")

    async def publish(self, *batch: Desired, key: str | None = None) -> list[Outcome]:
        answer = await self.answer(*batch, key=key)
        return [answer.outcomes[d.listing_id] for d in batch]

    def sell(self, item: int, units: int) -> None:
        """A buyer was here."""
        self.shop.orders.place([(self.shop.stock_room.items[item], units)], self.clock.now_us)


@pytest_asyncio.fixture(loop_scope="session")
async def bench() -> AsyncIterator[Bench]:
    clock = Clock()
    shop = a_simulator(clock)
    async with serving(shop.app) as url:
        made = Bench(url, shop, clock)
        yield made
        await made.connector.close()


async def test_250_entries_go_in_one_call_and_never_more(bench: Bench) -> None:
    outcomes = await bench.publish(*(wanted(n) for n in range(1, 251)))

    assert set(outcomes) == {Acknowledged()}
    assert bench.shop.calls.requests == 1
    assert (bench.shop.shown(250), bench.shop.shown(251)) == (5, 10)
    assert a_shopify(bench.url, batch_max=900).descriptor.batch_max == 250


async def test_a_sale_in_the_shop_is_seen_and_not_overwritten(bench: Bench) -> None:
    bench.sell(1, 3)

    outcomes = await bench.publish(wanted(1), wanted(2))

    assert outcomes == [Stale(found=7), outcomes[1]]
    assert isinstance(outcomes[1], Failed)
    assert not outcomes[1].is_oversized
    assert (bench.shop.shown(1), bench.shop.shown(2)) == (7, 10)
    assert bench.shop.calls.requests == 2


async def test_where_nothing_is_known_nothing_is_compared(bench: Bench) -> None:
    bench.sell(1, 3)

    outcomes = await bench.publish(wanted(1, shown=None))

    assert outcomes == [Acknowledged()]
    assert bench.shop.shown(1) == 5


async def test_a_stale_entry_that_cannot_be_read_is_stale_all_the_same(bench: Bench) -> None:
    bench.sell(1, 3)
    bench.shop.admin.bucket.set(restore_rate=1, maximum=10)

    outcomes = await bench.publish(wanted(1))

    assert outcomes == [Stale(found=None)]


@pytest.mark.parametrize(
    ("bad", "code"),
    [
        pytest.param(wanted(777), "INVALID_INVENTORY_ITEM", id="an_item_nobody_knows"),
        pytest.param(wanted(BUNDLE, shown=0), "NON_MUTABLE_INVENTORY_ITEM", id="a_bundle"),
        pytest.param(wanted(3, 1_000_000_001), "INVALID_QUANTITY_TOO_HIGH", id="too_many_units"),
    ],
)
async def test_one_bad_entry_is_refused_and_the_others_may_go_again(
    bench: Bench, bad: Desired, code: str
) -> None:
    outcomes = await bench.publish(wanted(1), bad, wanted(2))
    again = await bench.publish(wanted(1), wanted(2))

    assert [type(o) for o in outcomes] == [Failed, Refused, Failed]
    assert isinstance(outcomes[1], Refused)
    assert outcomes[1].code == code
    assert again == [Acknowledged(), Acknowledged()]


async def test_errors_that_name_no_entry_ask_for_smaller_calls(bench: Bench) -> None:
    bench.shop.admin.naming = "none"

    together = await bench.publish(wanted(1), wanted(777))
    alone = await bench.publish(wanted(777))

    assert all(isinstance(o, Failed) and o.is_oversized for o in together)
    assert isinstance(alone[0], Refused)
    bench.sell(1, 1)
    assert await bench.publish(wanted(1)) == [Stale(found=9)]


async def test_a_wrong_location_is_nobodys_listing_and_is_tried_again(bench: Bench) -> None:
    nowhere = a_shopify(bench.url, location_id="gid://shopify/Location/5")
    elsewhere = a_shopify(bench.url, location_id=str(ELSEWHERE))

    outcome = (await nowhere.publish([wanted(1)], "k-1")).outcomes[1]
    stranger = (await elsewhere.publish([wanted(1)], "k-2")).outcomes[1]
    shown = await elsewhere.read_back([listed(1)])
    for connector in (nowhere, elsewhere):
        await connector.close()

    assert isinstance(outcome, Failed)
    assert outcome.code == "INVALID_LOCATION"
    assert isinstance(stranger, Refused)
    assert dict(shown) == {1: None}


async def test_ids_that_make_no_sense_are_refused_without_a_call(bench: Bench) -> None:
    nameless = builders.wanted(1, 5, listing=builders.a_listing(1))
    variant = wanted(2, listing=listed(2, "gid://shopify/ProductVariant/2"))
    first, twin = wanted(3), wanted(4, listing=listed(4, "gid://shopify/InventoryItem/3"))

    outcomes = [*await bench.publish(nameless, variant), *await bench.publish(first, twin)]

    assert [getattr(o, "code", None) for o in outcomes] == [
        "listing_ids_invalid", "listing_ids_invalid", None, "listing_ids_doubled",
    ]  # fmt: skip
    assert bench.shop.calls.requests == 1


@pytest.mark.parametrize(
    ("status", "seconds"), [(200, 0.5), (429, 0.5)], ids=["in_http_200", "as_http_429"]
)
async def test_an_empty_bucket_says_how_long_to_wait(
    bench: Bench, status: int, seconds: float
) -> None:
    bench.shop.admin.bucket.set(restore_rate=20, maximum=10)
    bench.shop.admin.throttled_status = status
    await bench.publish(wanted(1))

    outcomes = await bench.publish(wanted(2))

    assert outcomes == [Throttled(retry_after_seconds=seconds)]


async def test_the_bucket_is_heard_in_calls(bench: Bench) -> None:
    bench.shop.admin.bucket.set(restore_rate=1000, maximum=20_000)

    heard = (await bench.answer(wanted(1))).heard

    assert heard is not None
    assert (heard.remaining, heard.per_second, heard.burst) == (1999.0, 100.0, 2000.0)


async def test_a_key_of_another_call_is_refused_and_a_new_one_does(bench: Bench) -> None:
    await bench.publish(wanted(1), key="same")

    outcomes = await bench.publish(wanted(2), key="same")
    again = await bench.publish(wanted(2), key="new")

    assert isinstance(outcomes[0], Failed)
    assert outcomes[0].code == "IDEMPOTENCY_KEY_PARAMETER_MISMATCH"
    assert again == [Acknowledged()]


async def test_a_failed_attempt_is_in_doubt_and_its_key_is_used_up(bench: Bench) -> None:
    connector = a_shopify(bench.url, api_version="2026-10")
    bench.shop.faults.set([{"kind": "error", "calls": 1}])

    outcomes = [
        (await connector.publish([wanted(1)], key)).outcomes[1] for key in ("same", "same", "new")
    ]
    await connector.close()

    assert [type(o) for o in outcomes] == [Unknown, Failed, Acknowledged]
    assert isinstance(outcomes[1], Failed)
    assert outcomes[1].code == "IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        pytest.param({"kind": "throttle"}, Throttled, id="others_have_emptied_the_bucket"),
        pytest.param({"kind": "error"}, Unknown, id="an_error_half_way_through_is_unknown"),
        pytest.param({"kind": "unavailable"}, Failed, id="maintenance_applied_nothing"),
        pytest.param({"kind": "nonsense"}, Unknown, id="html_with_200_is_no_answer"),
        pytest.param({"kind": "lost_answer"}, Unknown, id="a_gateway_that_lost_the_answer"),
        pytest.param({"kind": "hang", "seconds": 1.0}, Unknown, id="a_call_that_hangs"),
        pytest.param({"kind": "bad_entry", "entry": 1}, Refused, id="a_bad_entry"),
    ],
)
async def test_faults_are_what_they_are(
    bench: Bench, fault: dict[str, Any], outcome: type[Outcome]
) -> None:
    bench.shop.faults.set([fault | {"calls": 1}])

    (found,) = await bench.publish(wanted(1))

    assert type(found) is outcome
    if fault["kind"] == "nonsense":
        bench.shop.faults.set([fault | {"calls": 1}])
        with pytest.raises(ChannelAway):
            await bench.connector.read_back([listed(1)])


async def test_wrong_credentials_lose_nothing(bench: Bench) -> None:
    connector = Shopify(url=bench.url, access_token="wrong", location_id=str(LOCATION))

    answer = await connector.publish([wanted(1)], "key")
    await connector.close()

    assert isinstance(answer.outcomes[1], Failed)
    assert answer.heard is None


async def test_a_shop_that_is_not_there_has_certainly_taken_nothing() -> None:
    connector = a_shopify("http://127.0.0.1:9")

    answer = await connector.publish([wanted(1)], "key")
    with pytest.raises(ChannelAway):
        await connector.read_back([listed(1)])
    await connector.close()

    outcome = answer.outcomes[1]
    assert isinstance(outcome, Failed)
    assert outcome.code == "unreachable"


async def test_the_shops_own_smaller_limit_asks_for_smaller_calls(bench: Bench) -> None:
    bench.shop.admin.entries_max = 1

    outcomes = await bench.publish(wanted(1), wanted(2))

    assert all(isinstance(o, Failed) and o.is_oversized for o in outcomes)


async def test_reading_back_shows_quantities_and_what_has_none(bench: Bench) -> None:
    bench.sell(2, 4)
    full = listed(3, gid("InventoryItem", 3))
    nameless = builders.a_listing(4)

    found = await bench.connector.read_back([listed(1), listed(2), full, listed(404), nameless])

    assert dict(found) == {1: 10, 2: 6, 3: 10, 404: None, 4: None}
    assert bench.shop.calls.requests == 1
    assert dict(await bench.connector.read_back([nameless])) == {4: None}


async def test_a_shop_that_cannot_be_read_says_how_long_to_wait(bench: Bench) -> None:
    bench.shop.admin.throttled_status = 429
    bench.shop.faults.set([{"kind": "throttle", "seconds": 4, "calls": 1}])

    with pytest.raises(ChannelAway) as raised:
        await bench.connector.read_back([listed(1)])

    assert raised.value.retry_after_seconds == 4.0
