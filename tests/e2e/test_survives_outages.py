"""Kafka, PostgreSQL and Valkey killed, and Valkey wiped, under load: no operator is needed.

STOCKTIDE_CHAOS_AWAY_SECONDS keeps a killed server away for longer than its restart takes.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
from redis.exceptions import RedisError

from services.cli.demo.kafka_reading import read_log
from services.cli.demo.views import VIEW_KEY
from shared.contracts.availability import Availability
from shared.contracts.topics import AVAILABILITY
from shared.runtime.infrastructure.embedded import Embedded
from shared.runtime.infrastructure.folder import DataFolder
from shared.runtime.infrastructure.interface import Part
from shared.testing.reading import Reader
from shared.testing.waiting import until
from tests.e2e.ground import CHANNEL, Ground
from tests.e2e.turmoil import SKUS, Turmoil

BEFORE_SECONDS, AFTER_SECONDS = 1.0, 2.0
BACK_SECONDS = 60.0
AWAY_SECONDS = float(os.environ.get("STOCKTIDE_CHAOS_AWAY_SECONDS", "3"))


@asynccontextmanager
async def read_and_loaded(turmoil: Turmoil) -> AsyncIterator[Reader]:
    """Load, and a reader whose every answer must have been true."""
    url = turmoil.ground.url("availability")
    reader = Reader(url=url, channel=CHANNEL, skus=SKUS, rng=turmoil.rng)
    closing = asyncio.Event()
    async with asyncio.TaskGroup() as working:
        working.create_task(reader.run(closing))
        try:
            async with turmoil.load():
                await asyncio.sleep(BEFORE_SECONDS)  # the load itself
                yield reader
                await asyncio.sleep(AFTER_SECONDS)
            await turmoil.check()
        finally:
            closing.set()
    assert reader.faults == []
    assert reader.answers > 50
    assert 0 not in reader.told.values()
    async for message in read_log(turmoil.ground.addresses.kafka, AVAILABILITY.name):
        told = AVAILABILITY.decode(message.value)
        assert isinstance(told, Availability), told
        if told.channel == CHANNEL:
            seen = reader.told.get((told.sku, told.version))
            assert seen in (None, told.available_to_sell)


async def killed(folder: Path, part: Part) -> None:
    """kill -9 of a server; returns when the guardian, held still for a while, has started anew."""
    embedded = Embedded(folder)
    before = embedded.pid(part)
    state = DataFolder(folder).read_state()
    assert state is not None
    os.kill(state.guardian.pid, signal.SIGSTOP)
    try:
        embedded.kill(part)
        await asyncio.sleep(AWAY_SECONDS)
    finally:
        os.kill(state.guardian.pid, signal.SIGCONT)

    async def is_anew() -> bool:
        return embedded.pid(part) != before

    await until(is_anew, seconds=BACK_SECONDS)


async def test_kafka_is_killed(turmoil: Turmoil) -> None:
    async with read_and_loaded(turmoil):
        await killed(turmoil.ground.folder, "kafka")
        told = turmoil.messages

        async def takes_messages() -> bool:
            return turmoil.messages > told + 100

        await until(takes_messages, seconds=BACK_SECONDS)


async def test_postgres_is_killed(turmoil: Turmoil) -> None:
    async with read_and_loaded(turmoil):
        await killed(turmoil.ground.folder, "postgres")

        async def answers() -> bool:
            try:
                await turmoil.ground.reconnect()
            except (OSError, asyncpg.PostgresError):
                return False
            return True

        await until(answers, seconds=BACK_SECONDS)


async def test_valkey_is_killed(turmoil: Turmoil) -> None:
    async with read_and_loaded(turmoil):
        await killed(turmoil.ground.folder, "redis")

        await until(lambda: holds_all(turmoil.ground), seconds=BACK_SECONDS)


async def test_valkey_is_wiped(turmoil: Turmoil) -> None:
    async with read_and_loaded(turmoil):
        for _ in range(3):
            await turmoil.ground.redis.flushall()

            await until(lambda: holds_all(turmoil.ground), seconds=BACK_SECONDS)


async def holds_all(ground: Ground) -> bool:
    """Whether Valkey has a view of every SKU again."""
    try:
        return bool(await ground.redis.exists(*[VIEW_KEY % sku for sku in SKUS]) == len(SKUS))
    except RedisError:
        return False
