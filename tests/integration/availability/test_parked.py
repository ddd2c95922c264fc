"""Parked messages of availability: replayed once, and folded by their versions."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from services.availability.handlers.reading import Reading, read
from shared.contracts.topics import STOCK_LEVELS
from shared.kafka.batches import Batch
from shared.testing.messages import a_message
from tests.integration.availability.bench import AvailabilityBench, a_level


async def park_a_level(availability: AvailabilityBench, level: dict[str, object]) -> int:
    """A level that could not be read when it came, and can now."""
    await availability.levels(b"nonsense")
    value = a_message(level, topic=STOCK_LEVELS.name).value
    found: int = await availability.pool.fetchval(
        "update availability.parked set value = $1 where status = 'parked' returning parked_id",
        value,
    )
    return found


async def test_a_parked_level_is_folded_once_and_leaves_the_room(
    availability: AvailabilityBench,
) -> None:
    parked_id = await park_a_level(availability, a_level("S1", "L1", 7))

    taken = await asyncio.gather(
        *(availability.handler.replay(availability.pool, [parked_id]) for _ in range(3))
    )

    assert sorted(taken) == [0, 0, 1]
    assert await availability.handler.replay(availability.pool, [parked_id]) == 0
    assert await availability.figure("S1") == 7
    assert await availability.pool.fetchval("select status from availability.parked") == "released"


async def test_a_parked_level_that_was_overtaken_changes_nothing(
    availability: AvailabilityBench,
) -> None:
    parked_id = await park_a_level(availability, a_level("S1", "L1", 7, version=1))
    await availability.levels(a_level("S1", "L1", 3, version=2))

    assert await availability.handler.replay(availability.pool, [parked_id]) == 1

    assert await availability.figure("S1") == 3


async def test_a_message_that_breaks_a_replay_stays_parked_and_holds_up_no_other(
    availability: AvailabilityBench, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = await park_a_level(availability, a_level("S1", "L1", 7, version=1))
    await availability.levels(b"more nonsense")
    other: int = await availability.pool.fetchval(
        "update availability.parked set value = $1 where parked_id <> $2 returning parked_id",
        a_message(a_level("S2", "L1", 5), topic=STOCK_LEVELS.name).value, broken,
    )  # fmt: skip
    monkeypatch.setattr("services.availability.handlers.batch.read", _with_a_bug_on(b'"S1"'))

    assert await availability.handler.replay(availability.pool, [broken, other]) == 2

    assert await availability.figure("S2") == 5
    assert await availability.parked_open() == {"internal_error": 1}


def _with_a_bug_on(text: bytes) -> Callable[[Batch], Awaitable[Reading]]:
    async def broken(batch: Batch) -> Reading:
        if any(text in (message.value or b"") for message in batch.messages()):
            raise ZeroDivisionError
        return await read(batch)

    return broken
