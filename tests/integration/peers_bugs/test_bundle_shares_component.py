"""ERPNext #13822: bundles that share a component were each counted on all of it."""

from collections.abc import AsyncIterator

import pytest_asyncio

from shared.testing.servers import Databases
from tests.integration.availability.bench import (
    WEB,
    AvailabilityBench,
    a_level,
    migrate_availability,
    open_bench,
)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_template(databases: Databases) -> str:
    return await databases.template("availability", migrate_availability)


@pytest_asyncio.fixture(loop_scope="session")
async def availability(database: str, redis_url: str) -> AsyncIterator[AvailabilityBench]:
    async with open_bench(database, redis_url) as bench:
        await bench.refer(WEB)
        yield bench


def a_kit(sku: str, **parts: int) -> dict[str, object]:
    kit = [{"sku": part, "quantity": each} for part, each in parts.items()]
    return {"kind": "product", "sku": sku, "kit": kit}


async def test_bundle_shares_component_and_a_unit_that_is_held_is_in_none_of_them(
    availability: AvailabilityBench,
) -> None:
    await availability.refer(a_kit("DUO", LAMP=2, BULB=1), a_kit("SINGLE", LAMP=1))
    await availability.levels(a_level("LAMP", "L1", 6), a_level("BULB", "L1", 9))
    await availability.settle()
    before = [await availability.figure(sku) for sku in ("LAMP", "DUO", "SINGLE")]

    await availability.levels(a_level("LAMP", "L1", 6, version=2, allocated=3))
    await availability.settle()

    assert before == [6, 3, 6]
    assert [await availability.figure(sku) for sku in ("LAMP", "DUO", "SINGLE")] == [3, 1, 3]
