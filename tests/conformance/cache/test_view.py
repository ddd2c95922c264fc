"""The Redis view's primitives, against a real server."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import pytest
import pytest_asyncio
from redis.asyncio import Redis

from shared.cache.connecting import open_redis
from shared.cache.generations import GenerationMark, Mark
from shared.cache.versioned import Outcome, Versioned, VersionedStrings

OLD, NEW = 1_700_000_000_000_000, 1_700_000_000_000_001


@dataclass(slots=True)
class Bench:
    """A client and what it learned of its server."""

    servers: list[str] = field(default_factory=list)
    redis: Redis = field(init=False)
    strings: VersionedStrings = field(init=False)
    mark: GenerationMark = field(init=False)


@pytest_asyncio.fixture(loop_scope="session", params=[1, 128], ids=["key_by_key", "many_at_once"])
async def bench(redis_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    made = Bench()
    made.redis = open_redis(redis_url, on_server=made.servers.append)
    made.strings = VersionedStrings(made.redis, prefix="t:", keys_per_call=request.param)
    made.mark = GenerationMark(made.redis, name="mark")
    yield made
    await made.redis.aclose()


@pytest.mark.parametrize(
    ("generation", "version", "outcome"),
    [
        pytest.param(OLD, NEW, Outcome.WRITTEN, id="higher_version"),
        pytest.param(OLD, OLD, Outcome.OLDER, id="same_version"),
        pytest.param(OLD, OLD - 1, Outcome.OLDER, id="older_version"),
        pytest.param(NEW, 1, Outcome.WRITTEN, id="new_generation_whatever_the_version"),
        pytest.param(OLD - 1, NEW, Outcome.BEHIND, id="old_generation_whatever_the_version"),
    ],
)
async def test_a_write_goes_only_forward(
    bench: Bench, generation: int, version: int, outcome: Outcome
) -> None:
    await bench.strings.put_many(OLD, [("k", OLD, b"held")])

    assert await bench.strings.put_many(generation, [("k", version, b"new")]) == [outcome]

    found = await bench.strings.get("k")
    assert found is not None
    assert found.payload == (b"new" if outcome is Outcome.WRITTEN else b"held")


async def test_many_keys_have_an_outcome_each_in_their_order(bench: Bench) -> None:
    await bench.strings.put_many(OLD, [("b", NEW, b"held")])
    entries = [(key, OLD, key.encode()) for key in ("a", "b", "c")]

    outcomes = await bench.strings.put_many(OLD, entries)

    assert outcomes == [Outcome.WRITTEN, Outcome.OLDER, Outcome.WRITTEN]
    assert await bench.strings.get_many(["c", "nothing", "a"]) == [
        Versioned(OLD, OLD, b"c"), None, Versioned(OLD, OLD, b"a"),
    ]  # fmt: skip


async def test_a_payload_may_be_any_bytes_and_a_key_any_text(bench: Bench) -> None:
    payload, key = bytes(range(256)) * 20, "é {x} |\u2028"

    await bench.strings.put_many(OLD, [(key, OLD, payload)])

    assert await bench.strings.get(key) == Versioned(OLD, OLD, payload)


async def test_racing_writers_leave_the_highest_version(bench: Bench) -> None:
    versions = [OLD + n * 7 % 50 for n in range(50)]

    await asyncio.gather(
        *[bench.strings.put_many(OLD, [("k", v, str(v).encode())]) for v in versions]
    )

    highest = max(versions)
    assert await bench.strings.get("k") == Versioned(OLD, highest, str(highest).encode())


async def test_a_mark_goes_only_forward(bench: Bench) -> None:
    assert await bench.mark.read() is None

    assert await bench.mark.begin(NEW, "server")
    assert not await bench.mark.begin(OLD, "server")

    assert await bench.mark.read() == Mark(generation=NEW, made_for="server", as_of_ms=0)


async def test_a_beat_never_moves_back_nor_makes_a_mark_that_was_wiped(bench: Bench) -> None:
    await bench.mark.begin(NEW, "server")

    assert await bench.mark.beat(NEW, "server", 20)
    assert await bench.mark.beat(NEW, "server", 10)
    assert not await bench.mark.beat(OLD, "server", 30)
    assert not await bench.mark.beat(NEW, "another", 30)
    assert await bench.mark.read() == Mark(generation=NEW, made_for="server", as_of_ms=20)

    await bench.redis.flushdb()

    assert not await bench.mark.beat(NEW, "server", 40)
    assert await bench.mark.read() is None


async def test_every_new_connection_says_which_server_it_reached_before_it_is_used(
    bench: Bench,
) -> None:
    await bench.redis.ping()
    first = len(bench.servers)

    await bench.redis.connection_pool.disconnect()
    await bench.redis.ping()

    assert first >= 1
    assert len(bench.servers) > first
    assert len(set(bench.servers)) == 1
    assert len(bench.servers[0]) == 40


async def test_a_cancelled_command_gives_nobody_another_ones_answer(bench: Bench) -> None:
    """redis-py #2624: the reply that nobody read went to the next caller."""
    await bench.strings.put_many(OLD, [(str(n), OLD, str(n).encode()) for n in range(100)])

    for n in range(100):
        read = asyncio.create_task(bench.strings.get(str(n)))
        await asyncio.sleep(0)
        read.cancel()
        found = await bench.strings.get(str(99 - n))

        assert found is not None
        assert found.payload == str(99 - n).encode()
