"""Levels, reference data and waiting lines in; figures in Postgres, Redis and on the topic out."""

import pytest

from shared.contracts.availability import Availability
from shared.kafka.batches import Fenced
from shared.testing.messages import NOON
from tests.integration.availability.bench import (
    WEB,
    AvailabilityBench,
    a_level,
    a_policy,
)


def a_line(version: int, short: int, **overrides: object) -> dict[str, object]:
    line: dict[str, object] = {
        "order_id": "o1", "line_id": "1", "version": version, "decided_for": version,
        "sku": "S1", "wanted": 5, "short": short, "recorded_at": NOON.isoformat(),
    }  # fmt: skip
    return line | overrides


async def test_a_level_becomes_a_figure_in_postgres_in_redis_and_on_the_topic(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7), a_level("S1", "L2", 3, allocated=1))
    await availability.mirror.turn()
    (message,) = await availability.published()

    assert await availability.figure("S1") == 9
    in_redis = await availability.in_redis("S1")
    assert in_redis is not None
    assert in_redis.version == await availability.version("S1")
    told = Availability.decode(message.value)
    assert (message.key, told.available_to_sell, told.terms.pool) == (b"web|S1", 9, 9)
    assert told.version == (await availability.shown("S1"))["web"]["version"]


async def test_every_term_and_place_goes_out_as_the_contract_says(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(
        WEB | {"methods": ["home", "collect"], "revision": 1},
        a_policy("b", "location_buffer", 1),
        a_policy("c", "channel_buffer", 2),
        a_policy("s", "share_permille", 900),
        a_policy("m", "max_listed", 50),
        a_policy("e", "end_when", 1),
    )
    await availability.levels(a_level("S1", "L1", 7), a_level("S1", "L2", 0, allocated=1))
    (message,) = await availability.published()

    told = Availability.decode(message.value)
    # (7 − 1) − 1 short = 5; − 2 = 3; 900 ‰ of 3 rounds down to 2
    assert told.available_to_sell == 2
    assert told.terms.model_dump(exclude_none=True) == {
        "pool": 5, "ring_fenced": 0, "short": 1, "unsourced": 0, "channel_buffer": 2,
        "share_permille": 900, "max_listed": 50, "end_when": 1,
    }  # fmt: skip
    (offer,) = told.by_location
    assert (offer.location, offer.free, offer.buffer, offer.offered) == ("L1", 7, 1, 2)
    assert told.by_method == {"home": 2, "collect": 2}


async def test_what_a_restarted_relay_reads_is_what_it_would_have_sent_from_memory(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    states = availability.topic
    dirty = await states.unpublished(range(8), 64)
    from_memory = await states.latest(dirty.keys)
    await availability.topic.forget([])

    availability.topic = type(states)(availability.pool, kind="topic")

    assert await availability.published() == list(from_memory)


async def test_an_older_or_equal_version_of_a_level_changes_nothing(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7, version=5))
    before = await availability.version("S1")

    await availability.levels(a_level("S1", "L1", 9, version=4), a_level("S1", "L1", 8, version=5))

    assert await availability.figure("S1") == 7
    assert await availability.version("S1") == before


async def test_a_change_that_shows_nothing_new_is_not_published_and_keeps_the_version_told(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(a_policy("m", "max_listed", 3))
    await availability.levels(a_level("S1", "L1", 7))
    (first,) = await availability.published()

    await availability.levels(a_level("S1", "L1", 6, version=2))

    assert await availability.published() == []
    shown = (await availability.shown("S1"))["web"]
    assert shown["version"] == Availability.decode(first.value).version
    assert shown["version"] < await availability.version("S1")


async def test_a_policy_reaches_every_sku_and_raises_their_versions(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(*[a_level(f"S{n}", "L1", 7) for n in range(450)])
    await availability.published()

    await availability.refer(a_policy("m", "max_listed", 3))

    assert {await availability.figure(f"S{n}") for n in (0, 199, 200, 449)} == {3}
    assert len(await availability.published()) == 450


async def test_a_policy_of_one_sku_raises_no_policy_version_and_reaches_it_at_once(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7), a_level("S2", "L1", 7))
    own = a_policy("m", "max_listed", 3, scope={"sku": "S1"})
    version = "select version from availability.policy_version"
    before = await availability.pool.fetchval(version)

    await availability.tell("reference-data-v1", own)

    assert (await availability.figure("S1"), await availability.figure("S2")) == (3, 7)
    assert await availability.pool.fetchval(version) == before


@pytest.mark.parametrize(
    "after",
    [
        pytest.param({"scope": {"sku": "S2"}}, id="moved_to_another_sku"),
        pytest.param({"scope": {"sku": "S1"}, "deleted": True}, id="taken_back"),
        pytest.param({"scope": {"channel": "other"}}, id="no_longer_of_one_sku"),
    ],
)
async def test_a_policy_that_leaves_a_sku_speaks_of_it_no_more(
    availability: AvailabilityBench, after: dict[str, object]
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.refer(a_policy("m", "max_listed", 3, scope={"sku": "S1"}))

    await availability.refer(a_policy("m", "max_listed", 3, revision=1, **after))

    assert await availability.figure("S1") == 7


async def test_an_older_revision_of_reference_data_changes_nothing(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.refer(a_policy("m", "max_listed", 3, revision=2))

    await availability.refer(a_policy("m", "max_listed", 5, revision=1))

    assert await availability.figure("S1") == 3


async def test_lines_without_a_place_are_taken_from_every_channel_until_they_have_one(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))

    await availability.allocate(a_line(1, 5))
    assert await availability.figure("S1") == 2

    await availability.allocate(a_line(3, 2, short_at="L1"), a_line(2, 4))
    assert await availability.figure("S1") == 7

    await availability.allocate(a_line(2, 5))
    assert await availability.figure("S1") == 7


async def test_a_waiting_line_that_changes_its_sku_leaves_the_old_one(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7), a_level("S2", "L1", 7))
    await availability.allocate(a_line(1, 5))

    await availability.allocate(a_line(2, 4, sku="S2"))

    assert (await availability.figure("S1"), await availability.figure("S2")) == (7, 3)


async def test_what_cannot_be_read_is_parked_and_the_rest_applied(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(
        b"{", a_level("S1", "L1", 7), a_level("S\u0000", "L1", 1), b'{"sku":"S2"}'
    )
    await availability.refer(a_policy("p", "share_permille", 2000))

    assert await availability.figure("S1") == 7
    assert await availability.parked() == {"malformed": 1, "invalid": 3}


async def test_a_fenced_batch_changes_nothing(availability: AvailabilityBench) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.positions.claim("stock-levels-v1", 0, first_offset=0)

    with pytest.raises(Fenced):
        await availability.levels(a_level("S1", "L1", 1, version=2))

    assert await availability.figure("S1") == 7


async def test_a_product_that_is_recalled_is_shown_nowhere(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))

    await availability.refer(
        {"kind": "product", "sku": "S1", "life_cycle": {"recalled": True}, "revision": 1}
    )

    shown = (await availability.shown("S1"))["web"]
    assert (shown["available_to_sell"], shown["closed"]) == (0, True)
