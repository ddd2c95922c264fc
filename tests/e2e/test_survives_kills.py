"""kill -9 of every service at random moments under load: nothing is lost, nothing is twice.

STOCKTIDE_CHAOS_KILLS makes it longer, STOCKTIDE_CHAOS_SEED repeats it.
"""

import asyncio
import os

from tests.e2e.turmoil import Turmoil, drawn

KILLS = int(os.environ.get("STOCKTIDE_CHAOS_KILLS", "14"))
PAUSES_SECONDS = (0.2, 2.5)


async def test_killed_services_lose_and_double_nothing(turmoil: Turmoil) -> None:
    ground = turmoil.ground
    before = {name: life.restarts for name, life in ground.lives.items()}

    async with ground.beside("ledger-worker") as beside, turmoil.load():
        lives = {**ground.lives, **beside.lives}
        for name in drawn(turmoil.rng, list(lives), KILLS):
            await asyncio.sleep(turmoil.rng.uniform(*PAUSES_SECONDS))  # the moment is the point
            await ground.kill(lives[name])

    restarts = sum(life.restarts - before.get(name, 0) for name, life in lives.items())
    assert restarts == KILLS
    await turmoil.check()
