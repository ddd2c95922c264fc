"""Records from Kafka: the highest revision wins, codes move, ties are parked and come back."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from shared.kafka.batches import Batch, Fenced
from shared.testing.messages import NOON
from tests.integration.catalog.bench import CatalogBench, a_code, a_policy, open_bench

LATER = (NOON + timedelta(days=1)).isoformat()


async def test_the_highest_revision_is_kept_whatever_the_order(catalog: CatalogBench) -> None:
    await catalog.tell({"kind": "product", "sku": "S1", "name": "new", "revision": 2})
    await catalog.tell({"kind": "product", "sku": "S1", "name": "old", "revision": 1})

    (row,) = await catalog.ask(
        "select record->>'name' as name, revision, source from catalog.records"
    )
    assert (row["name"], row["revision"], row["source"]) == ("new", 2, "till:1")


async def test_of_equal_revisions_the_later_told_wins_also_in_one_batch(
    catalog: CatalogBench,
) -> None:
    first, second, third = ({"kind": "product", "sku": "S1", "name": name} for name in "abc")

    await catalog.tell(first, second)
    await catalog.tell(third)

    rows = await catalog.ask("select record->>'name' as name from catalog.records")
    assert [row["name"] for row in rows] == ["c"]


async def test_a_record_told_again_keeps_when_it_was_recorded(catalog: CatalogBench) -> None:
    await catalog.tell(a_code())
    before = await catalog.ask("select recorded_at, record_number from catalog.records")

    await catalog.tell(a_code())

    assert await catalog.ask("select recorded_at, record_number from catalog.records") == before


async def test_a_fenced_batch_changes_nothing(catalog: CatalogBench) -> None:
    batch = await catalog.batch([a_code(), a_policy(), b"no record"])
    await catalog.positions.claim("reference-data-v1", 0, first_offset=0)

    with pytest.raises(Fenced):
        await catalog.handler.apply(batch, await catalog.handler.decode(batch))

    assert await catalog.ids("identifier") == []
    assert await catalog.parked() == []


async def test_what_cannot_be_read_is_parked_and_blocks_nothing(catalog: CatalogBench) -> None:
    await catalog.tell(b"{", a_code(units_per_code=0), {"kind": "planet"}, a_code("401"))

    assert [reason for reason, _ in await catalog.parked()] == [
        "malformed", "invalid", "unknown_type",
    ]  # fmt: skip
    assert await catalog.ids("identifier") == ["gtin||401|"]


async def test_a_code_moves_from_one_sku_to_another_by_date(catalog: CatalogBench) -> None:
    await catalog.tell(a_code(until=LATER), a_code(sku="S2", units_per_code=6, **{"from": LATER}))

    today = await catalog.code()
    tomorrow = await catalog.code(at=NOON + timedelta(days=1))

    assert (today.content["sku"], today.content["units_per_code"]) == ("S1", 1)
    assert (tomorrow.content["sku"], tomorrow.content["units_per_code"]) == ("S2", 6)


async def test_codes_that_contradict_each_other_are_answered_with_both(
    catalog: CatalogBench,
) -> None:
    await catalog.tell(a_code(issuer="acme"), a_code(issuer="other", sku="S2"))

    both = await catalog.code()
    one = await catalog.code(issuer="acme")

    assert both.outcome == "ambiguous"
    told = both.content["records"]
    assert isinstance(told, list)
    assert [record["sku"] for record in told] == ["S1", "S2"]
    assert one.content["sku"] == "S1"


async def test_an_identifier_is_answered_with_the_channels_listing_of_its_sku(
    catalog: CatalogBench,
) -> None:
    listing = {"kind": "listing", "channel": "web", "listing_id": "L1", "sku": "S1",
               "fulfilled_by": "channel"}  # fmt: skip
    await catalog.tell(a_code(), listing, listing | {"channel": "amazon", "listing_id": "A1"})

    found = await catalog.code(channel="web")

    assert found.content["listing"] == {
        "channel": "web", "listing_id": "L1", "units_per_listing": 1, "fulfilled_by": "channel",
    }  # fmt: skip


async def test_codes_that_differ_in_case_only_are_different(catalog: CatalogBench) -> None:
    await catalog.tell(a_code("85123A"), a_code("85123a", sku="S2"))

    found = [(await catalog.code(code)).content["sku"] for code in ("85123A", "85123a")]

    assert found == ["S1", "S2"]


async def test_a_deleted_record_speaks_no_more(catalog: CatalogBench) -> None:
    await catalog.tell(a_code())
    await catalog.tell(a_code(revision=1, deleted=True))

    assert (await catalog.code()).outcome == "unknown"


async def test_a_policy_that_ties_is_parked_and_seen(catalog: CatalogBench) -> None:
    await catalog.tell(a_policy("p1"), a_policy("p2"), a_policy("p3", scope={"sku": "S1"}))

    ((reason, detail),) = await catalog.parked()
    assert (reason, "p1" in detail) == ("policy_tie", True)
    assert await catalog.ids("policy") == ["p1", "p3"]


async def test_a_parked_tie_comes_in_when_its_rival_has_gone(catalog: CatalogBench) -> None:
    await catalog.tell(a_policy("p1"))
    await catalog.tell(a_policy("p2", value=5))

    await catalog.tell(a_policy("p1", revision=1, deleted=True))

    assert await catalog.ids("policy") == ["p2"]
    assert await catalog.parked() == []


async def test_an_older_state_of_a_policy_is_no_tie(catalog: CatalogBench) -> None:
    await catalog.tell(a_policy("p2", revision=2, scope={"sku": "S2"}), a_policy("p1"))

    await catalog.tell(a_policy("p2", revision=1))

    assert await catalog.parked() == []


async def test_policies_that_tie_never_enter_side_by_side(
    catalog: CatalogBench, database: str
) -> None:
    """Two workers, each with one of the two, at the same moment."""
    other = await catalog.positions.claim("reference-data-v1", 1, first_offset=0)
    first = await catalog.batch([a_policy("p1")])
    (slice_,) = (await catalog.batch([a_policy("p2")])).slices
    second = Batch(slices=(replace(slice_, partition=1, epoch=other.epoch, expected=0),))

    async with open_bench(database, owner="other") as twin:
        await asyncio.gather(
            catalog.handler.apply(first, await catalog.handler.decode(first)),
            twin.handler.apply(second, await twin.handler.decode(second)),
        )

    assert len(await catalog.ids("policy")) == 1
    assert [reason for reason, _ in await catalog.parked()] == ["policy_tie"]


async def test_a_bug_on_one_message_parks_it_with_its_traceback(catalog: CatalogBench) -> None:
    batch = await catalog.batch([a_code()])

    await catalog.handler.park(batch, RuntimeError("a bug"))
    await catalog.tell(a_code("401"))

    ((reason, detail),) = await catalog.parked()
    assert (reason, "a bug" in detail) == ("internal_error", True)
    assert await catalog.ids("identifier") == ["gtin||401|"]
