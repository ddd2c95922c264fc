"""Races between workers, and versions after a restore."""

import asyncio
from collections.abc import AsyncIterator

import pytest_asyncio

from services.availability.handlers.planning import PlanCache, Plans
from services.availability.repository import stock
from services.availability.repository.stock import Opened
from shared.postgres.connecting import Connection
from tests.integration.availability.bench import (
    AvailabilityBench,
    a_level,
    a_policy,
    open_bench,
    payload,
)


@pytest_asyncio.fixture(loop_scope="session")
async def other(
    availability: AvailabilityBench, database: str, redis_url: str
) -> AsyncIterator[AvailabilityBench]:
    """A second worker on the same database: it holds other partitions."""
    async with open_bench(database, redis_url, partition=1) as bench:
        yield bench


async def test_a_worker_that_holds_an_old_policy_learns_of_the_new_one_before_it_computes(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    """C10 (c): the policy lands on one worker of the group, and the others must see it too."""
    await other.levels(a_level("S1", "L1", 7))
    await availability.refer(a_policy("m", "max_listed", 3))

    await other.levels(a_level("S1", "L1", 8, version=2), a_level("S9", "L1", 8))

    assert (await other.figure("S1"), await other.figure("S9")) == (3, 3)


class HeldPlans(PlanCache):
    """Stops a batch after it has read the policy version, before it locks its SKUs."""

    def __init__(self) -> None:
        super().__init__()
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()

    async def at(self, connection: Connection, opened: Opened) -> Plans:
        plans = await super().at(connection, opened)
        self.reached.set()
        await self.go_on.wait()
        return plans


async def test_a_batch_that_computes_under_an_old_policy_does_not_have_the_last_word(
    availability: AvailabilityBench, database: str, redis_url: str
) -> None:
    """C10 (b): A computes with policy 1, B commits policy 2 and sweeps, A commits after."""
    await availability.levels(a_level("S1", "L1", 7))
    held = HeldPlans()
    async with open_bench(database, redis_url, partition=1, plans=held) as slow:
        batch = asyncio.create_task(slow.levels(a_level("S1", "L1", 8, version=2)))
        await held.reached.wait()
        change = asyncio.create_task(availability.refer(a_policy("m", "max_listed", 3)))
        await asyncio.wait([change], timeout=0.3)

        held.go_on.set()
        await asyncio.gather(batch, change)

    assert await availability.figure("S1") == 3


async def test_work_without_a_message_holds_the_policy_still_too(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    async with availability.pool.acquire() as connection, connection.transaction():
        await stock.begin_unread(connection)
        change = asyncio.create_task(other.refer(a_policy("m", "max_listed", 3)))
        done, _ = await asyncio.wait([change], timeout=0.3)

        assert not done, "the policy went past a computation that does not know of it"

    await change
    assert await availability.figure("S1") == 3


async def test_two_workers_on_one_sku_lose_nothing(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    async def tell(bench: AvailabilityBench, location: str) -> None:
        for version in range(1, 26):
            await bench.levels(a_level("S1", location, version, version=version))

    await asyncio.gather(tell(availability, "L1"), tell(other, "L2"))

    assert await availability.figure("S1") == 50


async def test_what_this_worker_remembers_never_stands_before_what_another_has_changed(
    availability: AvailabilityBench, other: AvailabilityBench
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await other.levels(a_level("S1", "L2", 3))

    (message,) = await availability.published()

    assert payload(message)["available_to_sell"] == 10


async def test_a_version_after_a_restore_is_above_what_was_given_out_before(
    availability: AvailabilityBench,
) -> None:
    """C9: the backup is of version 1; Redis and the channels hold a later one."""
    await availability.levels(a_level("S1", "L1", 7))
    await availability.mirror.turn()
    given_out = await availability.version("S1")
    await availability.pool.execute("update availability.stock set version = 1")

    await availability.levels(a_level("S1", "L1", 2, version=2))
    await availability.mirror.turn()

    assert await availability.version("S1") > given_out
    in_redis = await availability.in_redis("S1")
    assert in_redis is not None
    assert b'"available_to_sell":2' in in_redis.payload


async def test_another_postgres_history_has_everything_told_again_under_new_versions(
    availability: AvailabilityBench,
) -> None:
    await availability.levels(a_level("S1", "L1", 7))
    await availability.mirror.turn()
    await availability.published()
    before = await availability.version("S1")
    await availability.pool.execute(
        "update availability.progress set made_for = split_part(made_for, '/', 1) || '/7.1'"
    )

    availability.clock.advance(seconds=1)
    await availability.mirror.turn()
    await availability.settle()

    assert len(await availability.published()) == 1
    assert await availability.version("S1") > before
