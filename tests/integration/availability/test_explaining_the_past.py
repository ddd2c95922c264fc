"""Why it was that many: policies and products as they had been told, on the ledger's books then."""

from datetime import UTC, datetime

from services.availability.domain.levels import Level
from services.availability.handlers.explaining import Told, explain, explain_at
from tests.integration.availability.bench import AvailabilityBench, a_level, a_policy


async def moment(availability: AvailabilityBench) -> datetime:
    found: datetime = await availability.pool.fetchval("select clock_timestamp()")
    return found


async def explained(
    availability: AvailabilityBench, at: datetime, sellable: int, unsourced: int = 0
) -> tuple[object, object]:
    """(figure, buffer's policy) of the channel `web`."""
    told = Told(at=at, levels={"L1": Level(0, sellable)}, unsourced=unsourced)
    found = await explain_at(availability.pool, "S1", told, "web", None)
    channel = found["channels"]["web"]  # type: ignore[index]  # JSON values
    won = channel["policies"].get("channel_buffer", {}).get("won", {}).get("policy_id")
    return channel["available_to_sell"], won


async def test_policies_are_as_they_had_been_told_by_then(
    availability: AvailabilityBench,
) -> None:
    before = await moment(availability)
    await availability.refer(a_policy("b", "channel_buffer", 2))
    with_two = await moment(availability)
    await availability.refer(a_policy("b", "channel_buffer", 4, revision=1))
    with_four = await moment(availability)
    await availability.refer(a_policy("b", "channel_buffer", 4, revision=2, deleted=True))

    assert await explained(availability, before, 7) == (7, None)
    assert await explained(availability, with_two, 7) == (5, "b")
    assert await explained(availability, with_four, 9) == (5, "b")
    assert await explained(availability, await moment(availability), 9, unsourced=1) == (8, None)


async def test_a_policy_of_one_sku_and_its_life_are_as_they_were(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.refer(a_policy("own", "channel_buffer", 3, scope={"sku": "S1"}))
    then = await moment(availability)
    await availability.refer(
        a_policy("own", "channel_buffer", 3, scope={"sku": "S1"}, revision=1, deleted=True),
        {"kind": "product", "sku": "S1", "life_cycle": {"recalled": True}},
    )

    assert await explained(availability, then, 7) == (4, "own")
    assert await explained(availability, await moment(availability), 7) == (0, None)


async def test_a_dated_policy_holds_at_its_time_and_not_when_it_was_told(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(
        a_policy("later", "channel_buffer", 3, **{"from": "2090-01-01T00:00:00Z"})
    )

    assert await explained(availability, await moment(availability), 7) == (7, None)
    assert await explained(availability, datetime(2090, 1, 2, tzinfo=UTC), 7) == (4, "later")


async def test_the_past_of_now_is_now(availability: AvailabilityBench) -> None:
    await availability.refer(a_policy("b", "channel_buffer", 2))
    await availability.levels(a_level("S1", "L1", 7))

    now = await explain(availability.pool, "S1", "web", None)
    assert now is not None
    told = Told(at=await moment(availability), levels={"L1": Level(1, 7)})
    then = await explain_at(availability.pool, "S1", told, "web", None)

    assert then["channels"] == now["channels"]
