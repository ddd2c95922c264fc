"""Second workers join and leave every few seconds under load: nothing is lost, twice or stuck."""

import asyncio

from tests.e2e.turmoil import Turmoil

TURNS = 2
STAY_SECONDS = (0.5, 3.0)


async def test_workers_that_join_and_leave_lose_and_double_nothing(turmoil: Turmoil) -> None:
    async with turmoil.load():
        for _ in range(TURNS):
            async with turmoil.ground.beside("ledger-worker", "availability"):
                await asyncio.sleep(turmoil.rng.uniform(*STAY_SECONDS))  # any moment will do
            await asyncio.sleep(turmoil.rng.uniform(*STAY_SECONDS))

    await turmoil.check()
