"""The simulated Admin interface driven past each documented limit, and seen to refuse."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from services.simulators.shopify import ShopifySimulator
from services.simulators.shopify.simulator import LOCATION
from services.simulators.shopify.stock import gid
from tests.unit.simulators.shopify_shop import (
    BUNDLE,
    ELSEWHERE,
    LEVELS,
    Client,
    Clock,
    a_client,
    a_simulator,
    an_entry,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def shop(clock: Clock) -> ShopifySimulator:
    return a_simulator(clock)


@pytest_asyncio.fixture(loop_scope="session")
async def client(shop: ShopifySimulator) -> AsyncIterator[Client]:
    async with a_client(shop) as made:
        yield made


async def test_quantities_are_set_and_the_changes_told(
    client: Client, shop: ShopifySimulator
) -> None:
    answer = await client.set(an_entry(1, 7, changeFromQuantity=10), an_entry(2, 10))

    found = answer["data"]["inventorySetQuantities"]
    assert found["userErrors"] == []
    assert found["inventoryAdjustmentGroup"]["changes"] == [
        {"name": "available", "delta": -3, "quantityAfterChange": 7}
    ]
    assert shop.shown(1) == 7
    assert [row[1:] for row in shop.calls.read(0, 10)[1]] == [(1, 7), (2, 10)]


async def test_251_entries_are_refused_whole(client: Client, shop: ShopifySimulator) -> None:
    entries = [an_entry(item, 3) for item in range(1, 252)]

    too_many = await client.set(*entries)
    whole = await client.set(*entries[:250], key="k-2")

    assert "data" not in too_many
    assert too_many["errors"][0]["extensions"]["code"] == "MAX_INPUT_SIZE_EXCEEDED"
    assert whole["data"]["inventorySetQuantities"]["userErrors"] == []
    assert (shop.shown(250), shop.shown(251)) == (3, 10)


@pytest.mark.parametrize(
    ("entry", "code", "field"),
    [
        (an_entry(777), "INVALID_INVENTORY_ITEM", "inventoryItemId"),
        (an_entry(locationId=gid("Location", 5)), "INVALID_LOCATION", "locationId"),
        (an_entry(BUNDLE), "NON_MUTABLE_INVENTORY_ITEM", "inventoryItemId"),
        (an_entry(locationId=gid("Location", ELSEWHERE)), "ITEM_NOT_STOCKED_AT_LOCATION",
         "locationId"),
        (an_entry(quantity=-1), "INVALID_QUANTITY_NEGATIVE", "quantity"),
        (an_entry(quantity=1_000_000_001), "INVALID_QUANTITY_TOO_HIGH", "quantity"),
        (an_entry(quantity=-1_000_000_001), "INVALID_QUANTITY_TOO_LOW", "quantity"),
        (an_entry(changeFromQuantity=9), "CHANGE_FROM_QUANTITY_STALE", "changeFromQuantity"),
    ],
)  # fmt: skip
async def test_a_wrong_entry_is_named_and_sinks_the_call(
    client: Client, shop: ShopifySimulator, entry: dict[str, Any], code: str, field: str
) -> None:
    answer = await client.set(an_entry(2, 3), entry)

    (error,) = answer["data"]["inventorySetQuantities"]["userErrors"]
    assert error["code"] == code
    assert error["field"] == ["input", "quantities", "1", field]
    assert (shop.shown(1), shop.shown(2)) == (10, 10)


async def test_an_item_told_twice_is_refused(client: Client) -> None:
    codes = await client.codes(an_entry(1, 3), an_entry(1, 4))

    assert codes == ["NO_DUPLICATE_INVENTORY_ITEM_ID_GROUP_ID_PAIR"]


@pytest.mark.parametrize(
    ("field", "code"),
    [
        ({"name": "committed"}, "INVALID_NAME"),
        ({"reason": "because"}, "INVALID_REASON"),
        ({"referenceDocumentUri": "a paper"}, "INVALID_REFERENCE_DOCUMENT"),
    ],
)
async def test_a_wrong_input_is_refused(client: Client, field: dict[str, str], code: str) -> None:
    assert await client.codes(an_entry(), **field) == [code]


async def test_the_compare_must_be_there_from_2026_04_on(
    client: Client, shop: ShopifySimulator
) -> None:
    entry = an_entry()
    del entry["changeFromQuantity"]

    omitted = await client.codes(entry, key="k-1")
    ignored_before = await client.codes(
        entry, key="k-2", version="2026-01", ignoreCompareQuantity=True
    )
    old_form = await client.codes(entry | {"compareQuantity": 9}, key="k-3", version="2026-01")
    gone = await client.set(entry | {"compareQuantity": 5}, key="k-4")

    assert omitted == ["COMPARE_QUANTITY_REQUIRED"]
    assert ignored_before == []
    assert old_form == ["COMPARE_QUANTITY_STALE"]
    assert gone["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"
    assert shop.shown(1) == 5


@pytest.mark.parametrize(
    "entry",
    [
        an_entry(inventoryItemId="1"), an_entry(inventoryItemId="gid://shopify/Product/1"),
        an_entry(quantity="5"), an_entry(quantity=1.5), an_entry(quantity=True),
        an_entry(changeFromQuantity="10"), an_entry(colour="red"),
    ],
)  # fmt: skip
async def test_what_cannot_be_coerced_is_a_top_level_error(
    client: Client, entry: dict[str, Any]
) -> None:
    answer = await client.set(entry)

    assert answer["errors"][0]["extensions"]["code"] == "INVALID_VARIABLE"


async def test_a_key_does_its_work_once(client: Client, shop: ShopifySimulator) -> None:
    first = await client.set(an_entry(1, 7, changeFromQuantity=10), key="same")
    shop.stock_room.items[1].levels[LOCATION].available = 3

    again = await client.set(an_entry(1, 7, changeFromQuantity=10), key="same")
    other = await client.codes(an_entry(1, 8), key="same")

    assert again["data"] == first["data"]
    assert other == ["IDEMPOTENCY_KEY_PARAMETER_MISMATCH"]
    assert shop.shown(1) == 3


async def test_a_key_is_mandatory_from_2026_04_on(client: Client, shop: ShopifySimulator) -> None:
    refused = await client.set(an_entry(1, 7), key=None)
    before = await client.codes(an_entry(1, 7), key=None, version="2026-01")

    assert "data" not in refused
    assert before == []
    assert shop.shown(1) == 7


async def test_a_key_that_is_under_way_is_said_to_be(
    client: Client, shop: ShopifySimulator
) -> None:
    shop.admin.work_seconds = 0.2
    first = asyncio.create_task(client.codes(an_entry(1, 7), key="same"))
    await asyncio.sleep(0)

    codes: list[str] = []
    while not codes:  # ends: the first use is over after 0.2 s at the latest
        codes = await client.codes(an_entry(1, 7), key="same")
        if first.done():
            break

    assert codes == ["IDEMPOTENCY_CONCURRENT_REQUEST"]
    assert await first == []
    assert shop.shown(1) == 7


@pytest.mark.parametrize(
    ("version", "codes"),
    [("2026-10", ["IDEMPOTENCY_PREVIOUS_ATTEMPT_FAILED"]), ("2026-04", [])],
)
async def test_a_key_whose_attempt_failed_needs_a_successor_from_2026_10_on(
    client: Client, shop: ShopifySimulator, version: str, codes: list[str]
) -> None:
    shop.faults.set([{"kind": "error", "calls": 1}])
    failed = await client.set(an_entry(), key="same", version=version)

    again = await client.codes(an_entry(), key="same", version=version)
    fresh = await client.codes(an_entry(), key="another", version=version)

    assert failed["errors"][0]["extensions"]["code"] == "INTERNAL_SERVER_ERROR"
    assert again == codes
    assert fresh == []


async def test_an_empty_bucket_throttles_until_it_is_filled_again(
    client: Client, shop: ShopifySimulator, clock: Clock
) -> None:
    await client.http.put("/_control/limits", json={"restore_rate": 100, "maximum": 25})

    answers = [await client.set(an_entry(1, n), key=f"k-{n}") for n in range(3)]
    clock.pass_seconds(0.05)
    later = await client.set(an_entry(1, 9), key="k-9")

    left = [a["extensions"]["cost"]["throttleStatus"]["currentlyAvailable"] for a in answers]
    assert left == [15, 5, 5]
    assert "data" not in answers[2]
    assert answers[2]["errors"][0]["message"] == "Throttled"
    assert answers[2]["errors"][0]["extensions"]["code"] == "THROTTLED"
    assert answers[2]["extensions"]["cost"]["requestedQueryCost"] == 10
    assert answers[2]["extensions"]["cost"]["actualQueryCost"] is None
    assert "data" in later
    assert shop.shown(1) == 9


@pytest.mark.parametrize(
    ("plan", "rate"), [("standard", 100), ("advanced", 200), ("plus", 1000), ("enterprise", 2000)]
)
async def test_each_plan_has_its_rate(client: Client, plan: str, rate: int) -> None:
    await client.http.put("/_control/limits", json={"plan": plan})

    answer = await client.set(an_entry())

    status = answer["extensions"]["cost"]["throttleStatus"]
    assert status["restoreRate"] == rate
    assert status["maximumAvailable"] == 20 * rate


async def test_throttling_by_429_says_how_long(client: Client) -> None:
    limits = {"restore_rate": 5, "maximum": 10, "throttled_status": 429}
    await client.http.put("/_control/limits", json=limits)
    await client.set(an_entry())

    answer = await client.ask("{ nodes(ids: []) { id } }", {})
    refused = [answer, await client.ask(LEVELS, {"ids": [gid("InventoryItem", 1)], "at": "x"})]

    assert [one.status_code for one in refused] == [429, 429]
    assert refused[1].headers["Retry-After"] == "0.6"


async def test_a_query_that_costs_too_much_is_refused_whatever_is_left(client: Client) -> None:
    ids = [gid("InventoryItem", n) for n in range(1, 251)]
    wide = "{ a: nodes(ids: $ids) { ... on InventoryItem { id %s } } }"
    level = '%s: inventoryLevel(locationId: $at) { quantities(names: ["available"]) { name } }'
    two = wide % " ".join(level % name for name in ("x", "y"))

    answer = (await client.ask(two, {"ids": ids, "at": gid("Location", LOCATION)})).json()

    assert answer["errors"][0]["extensions"]["code"] == "MAX_COST_EXCEEDED"


async def test_levels_are_read_by_id_and_unknown_ones_are_null(client: Client) -> None:
    ids = [gid("InventoryItem", n) for n in (2, 777)]

    found = (await client.ask(LEVELS, {"ids": ids, "at": gid("Location", LOCATION)})).json()
    elsewhere = (await client.ask(LEVELS, {"ids": ids, "at": gid("Location", ELSEWHERE)})).json()

    first, second = found["data"]["nodes"]
    assert second is None
    assert first["id"] == ids[0]
    assert first["inventoryLevel"]["quantities"] == [
        {"name": "available", "quantity": 10}, {"name": "on_hand", "quantity": 10},
    ]  # fmt: skip
    assert elsewhere["data"]["nodes"][0]["inventoryLevel"] is None


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ("mutation { inventoryAdjustQuantities(input: {}) { userErrors { code } } }",
         "undefinedField"),
        ('{ nodes(ids: ["gid://shopify/InventoryItem/1"]) { ... on InventoryItem { colour } } }',
         "undefinedField"),
        ("subscription { x }", "PARSE_ERROR"),
        ("{ nodes(ids: []) { id }", "PARSE_ERROR"),
        ("{ nodes(ids: []) { id } } query B { nodes(ids: []) { id } }", "PARSE_ERROR"),
        ("fragment F on Item { id }", "PARSE_ERROR"),
        ("{ nodes { id } }", "missingRequiredArguments"),
        ("{" * 50, "PARSE_ERROR"),
        ("§", "PARSE_ERROR"),
    ],
)  # fmt: skip
async def test_what_is_not_spoken_here_is_refused(client: Client, document: str, code: str) -> None:
    answer = await client.ask(document, {})

    assert answer.status_code == 200
    assert answer.json()["errors"][0]["extensions"]["code"] == code


async def test_without_the_token_or_a_known_version_there_is_nothing(client: Client) -> None:
    stranger = await client.http.post("/admin/api/2026-04/graphql.json", json={"query": "{x}"})
    old = await client.ask("{x}", {}, version="2019-04")
    empty = await client.http.post(
        "/admin/api/2026-04/graphql.json", content=b"[",
        headers={"X-Shopify-Access-Token": "shpat_simulated"},
    )  # fmt: skip

    assert [stranger.status_code, old.status_code, empty.status_code] == [401, 404, 400]


async def test_the_errors_of_a_call_may_name_the_first_entry_or_none(
    client: Client, shop: ShopifySimulator
) -> None:
    found = []
    for naming in ("each", "first", "none"):
        shop.admin.naming = naming
        answer = await client.set(an_entry(777), an_entry(778), key=naming)
        errors = answer["data"]["inventorySetQuantities"]["userErrors"]
        found.append([error["field"][2:3] for error in errors])

    assert found == [[["0"], ["1"]], [["0"]], [[], []]]


@pytest.mark.parametrize("limits", [{"plan": "free"}, {"throttled_status": 418}, {"naming": "all"}])
async def test_limits_that_make_no_sense_are_refused(
    client: Client, limits: dict[str, Any]
) -> None:
    answer = await client.http.put("/_control/limits", json=limits)

    assert answer.status_code == 400


async def test_the_control_fills_the_shop_and_shows_what_was_set(client: Client) -> None:
    item = {"id": 5_001, "variant_id": 6_001, "sku": "S", "quantity": 4}
    filled = await client.http.put("/_control/items", json={"items": [item]})
    senseless = await client.http.put("/_control/items", json={"items": [{"id": "x"}]})
    await client.set(an_entry(5_001, 3, changeFromQuantity=4))

    calls = (await client.http.get("/_control/calls")).json()

    assert (filled.json(), senseless.status_code) == ({"items": 1}, 400)
    assert [row[1:] for row in calls["calls"]] == [[5_001, 3]]
    assert (calls["next"], calls["requests"]) == (1, 1)
    assert (await client.http.get("/_control/health")).json() == {"ok": True}
    paced = {"calls_per_second": 1, "burst": 1}
    assert (await client.http.put("/_control/limits", json=paced)).json() == paced
    assert "data" in await client.set(an_entry(), key="k-2")
    assert "data" not in await client.set(an_entry(), key="k-3")
