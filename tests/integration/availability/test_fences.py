"""A level's ring-fences, from its message to what channels are shown."""

from shared.contracts.availability import Availability
from tests.integration.availability.bench import WEB, AvailabilityBench, a_level


async def published(availability: AvailabilityBench) -> dict[str, Availability]:
    told = [Availability.decode(message.value) for message in await availability.published()]
    return {one.channel: one for one in told}


async def test_what_is_left_of_a_fence_is_shown_to_its_channel_as_long_as_the_level_tells_it(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(WEB | {"channel": "b2b"})
    fences = [
        {"hold_id": "f1", "channel": "b2b", "remaining": 3},
        {"hold_id": "f2", "channel": "b2b", "remaining": 1},
        {"hold_id": "f3", "remaining": 2},
    ]

    await availability.levels(a_level("S1", "L1", 8, reserved=6, ring_fences=fences))

    told = await published(availability)
    assert (told["b2b"].available_to_sell, told["web"].available_to_sell) == (6, 2)
    assert (told["b2b"].terms.ring_fenced, told["b2b"].terms.pool) == (4, 6)

    await availability.levels(a_level("S1", "L1", 8, version=2))

    assert await availability.figure("S1") == 8
    told = await published(availability)
    assert told["b2b"].terms.ring_fenced == 0
