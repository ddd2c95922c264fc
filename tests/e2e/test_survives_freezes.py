"""Workers frozen past their session's end and thawed again: their writes are refused."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from services.cli.demo.views import HEADER_BYTES, VERSION, VIEW_KEY
from shared.testing.waiting import until
from tests.e2e.ground import Ground
from tests.e2e.turmoil import SKUS, Turmoil

FROZEN = ("ledger-worker", "availability", "publication")
TAKEN_SECONDS = 60.0
AFTER_SECONDS = 3.0
EPOCHS = """
select 'ledger ' || topic || partition as name, epoch from ledger.positions
union all select 'availability ' || topic || partition, epoch from availability.positions
union all select 'publication ' || topic || partition, epoch from publication.positions
"""
LEASE = "select 'lease ' || channel as name, epoch from publication.leases"


async def test_thawed_workers_change_nothing(turmoil: Turmoil) -> None:
    ground = turmoil.ground
    async with ground.beside(*FROZEN), watched(ground) as fallen, turmoil.load():
        before = await epochs(ground)
        _signal_all(ground, signal.SIGSTOP)
        try:
            await until(lambda: are_taken_over(ground, before), seconds=TAKEN_SECONDS)
        finally:
            _signal_all(ground, signal.SIGCONT)
        await asyncio.sleep(AFTER_SECONDS)  # what they held in their hands is tried now

    assert fallen == []
    await turmoil.check()


async def epochs(ground: Ground) -> dict[str, int]:
    """Every partition's epoch, and every lease's."""
    rows = await ground.connection.fetch(f"{EPOCHS} union all {LEASE}")
    return {row["name"]: row["epoch"] for row in rows}


async def are_taken_over(ground: Ground, before: Mapping[str, int]) -> bool:
    """Whether everything has been claimed since. The lease may have been the second one's."""
    now = await epochs(ground)
    return all(now[name] > epoch for name, epoch in before.items() if "lease" not in name)


@asynccontextmanager
async def watched(ground: Ground) -> AsyncIterator[list[str]]:
    """The views in Valkey whose version was seen to fall meanwhile."""
    fallen: list[str] = []
    highest: dict[str, int] = {}

    # Told to end, not cancelled: on Python 3.11 a cancellation that meets the end of a write is
    # lost in asyncio.wait_for, which redis-py writes with.
    closing = asyncio.Event()

    async def watch() -> None:
        while not closing.is_set():
            values = await ground.redis.mget([VIEW_KEY % sku for sku in SKUS])
            for sku, value in zip(SKUS, values, strict=True):
                if not isinstance(value, bytes) or len(value) < HEADER_BYTES:
                    continue
                (version,) = VERSION.unpack_from(value, VERSION.size)
                if version < highest.get(sku, 0):
                    fallen.append(f"{sku}: {version} after {highest[sku]}")
                highest[sku] = version
            await asyncio.sleep(0.002)

    watching = asyncio.create_task(watch())
    try:
        yield fallen
    finally:
        closing.set()
        await watching
    assert highest, "nothing was watched"


def _signal_all(ground: Ground, number: signal.Signals) -> None:
    for name in FROZEN:
        pid = ground.lives[name].pid
        assert pid is not None, name
        os.kill(pid, number)
