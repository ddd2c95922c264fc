"""Redis wiped, half filled, restarted with old data: unknown is never zero, and nothing is old."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest_asyncio

from services.availability.handlers.answering import Answers
from services.availability.repository.progress import ProgressRows
from shared.cache.connecting import open_redis
from shared.cache.generations import GenerationMark
from shared.cache.reading import ViewReader
from shared.cache.versioned import HEADER, VersionedStrings
from tests.integration.availability.bench import AvailabilityBench, a_level


@dataclass(slots=True)
class Reading:
    """A process that reads, beside the worker that writes."""

    answers: Answers
    reader: ViewReader
    strings: VersionedStrings
    url: str

    async def figure(self, sku: str) -> tuple[int, bool]:
        """The figure through `web`, and whether Redis knew it."""
        (found,) = await self.answers.find([sku])
        assert found is not None
        start = found.shown.index(b'"available_to_sell":') + len(b'"available_to_sell":')
        return int(found.shown[start:].partition(b",")[0]), found.from_redis


@pytest_asyncio.fixture(loop_scope="session")
async def reading(availability: AvailabilityBench, redis_url: str) -> AsyncIterator[Reading]:
    reader = ViewReader()
    redis = open_redis(redis_url, on_server=reader.on_server)
    strings = VersionedStrings(redis, prefix="ats:")
    reader.attach(strings, GenerationMark(redis, name="ats-mark"))
    progress = ProgressRows(availability.pool)
    answers = Answers(reader, availability.pool, progress, availability.clock, asyncio.Event())
    await progress.reach(availability.clock.now())
    yield Reading(answers, reader, strings, redis_url)
    await redis.aclose()


async def _write(availability: AvailabilityBench, *skus: str) -> None:
    await availability.levels(*[a_level(sku, "L1", 7) for sku in skus])
    await availability.mirror.turn()


async def test_what_redis_knows_is_answered_by_redis(
    availability: AvailabilityBench, reading: Reading
) -> None:
    await _write(availability, "S1")
    await reading.answers.refresh()

    assert await reading.figure("S1") == (7, True)


async def test_a_wiped_redis_is_unknown_not_zero_and_whole_again_soon(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    await _write(availability, "S1", "S2")
    await reading.answers.refresh()
    before = reading.reader.generation

    await _flush(redis_url)
    assert await reading.figure("S1") == (7, False)

    availability.clock.advance(seconds=1)
    await availability.mirror.turn()
    await reading.answers.refresh()
    assert reading.reader.generation != before
    assert await reading.figure("S2") == (7, True)


async def test_a_half_filled_redis_answers_nothing_until_it_is_whole(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    """C14: wiped, and then one live write puts one SKU back, before anybody has noticed."""
    await _write(availability, "S1", "S2")
    await reading.answers.refresh()
    await _flush(redis_url)

    await availability.levels(a_level("S1", "L2", 3))
    availability.clock.advance(seconds=0)
    await availability.mirror.turn()

    assert await availability.in_redis("S1") is not None
    assert await reading.figure("S1") == (10, False)
    assert await reading.figure("S2") == (7, False)


async def test_data_of_another_server_is_unknown_though_all_of_it_is_there(
    availability: AvailabilityBench, reading: Reading
) -> None:
    """A restart loads a file minutes old: the mark in it names the server that wrote it."""
    await _write(availability, "S1")
    await reading.answers.refresh()

    reading.reader.on_server("another-run")
    assert await reading.figure("S1") == (7, False)
    await reading.answers.refresh()
    assert await reading.figure("S1") == (7, False)

    availability.mirror.on_server("another-run")
    await availability.mirror.turn()
    await reading.answers.refresh()
    assert await reading.figure("S1") == (7, True)


async def test_a_value_of_an_older_generation_is_unknown_though_redis_is_trusted(
    availability: AvailabilityBench, reading: Reading
) -> None:
    await _write(availability, "S1")
    mark = await availability.mark.read()
    assert mark is not None
    await availability.mark.begin(mark.generation + 1, mark.made_for)
    await reading.answers.refresh()

    assert reading.reader.generation == mark.generation + 1
    assert await reading.figure("S1") == (7, False)


async def test_a_mark_of_another_server_under_our_generation_begins_a_new_one(
    availability: AvailabilityBench, redis_url: str
) -> None:
    await _write(availability, "S1")
    before = await availability.mark.read()
    assert before is not None
    client = open_redis(redis_url, on_server=lambda _: None)
    await client.hset("ats-mark", "made_for", "another-run")
    await client.aclose()

    for _ in range(2):
        availability.clock.advance(seconds=1)
        await availability.mirror.turn()

    after = await availability.mark.read()
    assert after is not None
    assert after.generation > before.generation
    assert after.made_for == before.made_for


async def test_a_missing_key_is_repaired_by_its_reader(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    await _write(availability, "S1")
    await reading.answers.refresh()
    await _delete(redis_url, "ats:{S1}")
    assert await reading.figure("S1") == (7, False)

    await reading.answers.refresh()

    assert await reading.figure("S1") == (7, True)


async def test_what_redis_gets_late_is_not_answered_after_what_postgres_has_answered(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    """Redis is written behind the commits: a reader that went to Postgres is ahead of it."""
    await _write(availability, "S1")
    await reading.answers.refresh()
    late = await availability.in_redis("S1")
    assert late is not None
    await _delete(redis_url, "ats:{S1}")
    await availability.levels(a_level("S1", "L1", 5, version=2))
    assert await reading.figure("S1") == (5, False)

    await reading.strings.put_many(late.generation, [("S1", late.version, late.payload)])

    assert await reading.figure("S1") == (5, False)
    await reading.answers.refresh()
    assert await reading.figure("S1") == (5, True)


async def test_what_postgres_answered_long_ago_is_not_put_in_a_new_generation(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    """Redis has told something newer since, in the generation before."""
    await _write(availability, "S1")
    await reading.answers.refresh()
    await _delete(redis_url, "ats:{S1}")
    assert await reading.figure("S1") == (7, False)
    await availability.levels(a_level("S1", "L1", 5, version=2))
    await availability.mirror.turn()
    assert await reading.figure("S1") == (5, True)

    mark = await availability.mark.read()
    assert mark is not None
    await availability.mark.begin(mark.generation + 1, mark.made_for)
    await reading.answers.refresh()

    assert await reading.figure("S1") == (5, True)


async def test_a_worker_with_an_old_generation_learns_of_the_new_one(
    availability: AvailabilityBench, reading: Reading
) -> None:
    await _write(availability, "S1")
    generation = await availability.progress.begin_generation(
        (await availability.progress.read()).generation,
        (await availability.progress.read()).made_for,
    )
    assert generation is not None
    await availability.strings.put_many(generation, [("S1", 1, b"{}\n{}")])
    mark = await availability.mark.read()
    assert mark is not None
    await availability.mark.begin(generation, mark.made_for)

    await availability.levels(a_level("S1", "L1", 5, version=2))
    await availability.mirror.turn()
    await availability.mirror.turn()

    await reading.answers.refresh()
    assert await reading.figure("S1") == (5, True)


async def test_the_age_is_that_of_what_redis_holds_and_old_is_said_to_be_stale(
    availability: AvailabilityBench, reading: Reading
) -> None:
    await _write(availability, "S1")
    for _ in range(3):
        availability.clock.advance(seconds=1)
        await availability.mirror.turn()
    await reading.answers.refresh()

    assert reading.answers.age_seconds(from_redis=True) == 3.0


async def test_a_rebuild_in_slices_leaves_what_was_kept(
    availability: AvailabilityBench, reading: Reading, redis_url: str
) -> None:
    """A view rebuilt is the view that was kept, byte for byte."""
    await _write(availability, *[f"S{n}" for n in range(30)])
    kept = await _values(availability, 30)
    await _delete(redis_url, *[f"ats:{{S{n}}}" for n in range(30)])

    await availability.progress.ask_rebuild()
    availability.clock.advance(seconds=1)
    await availability.mirror.turn()

    assert await _values(availability, 30) == kept
    assert (await availability.progress.read()).rebuilt_to is None


async def _values(availability: AvailabilityBench, count: int) -> list[tuple[int, bytes] | None]:
    """What Redis holds of the first SKUs, whatever the generation."""
    found = [await availability.in_redis(f"S{n}") for n in range(count)]
    return [None if one is None else (one.version, one.payload) for one in found]


async def _flush(redis_url: str) -> None:
    client = open_redis(redis_url, on_server=lambda _: None)
    await client.flushdb()
    await client.aclose()


async def _delete(redis_url: str, *names: str) -> None:
    client = open_redis(redis_url, on_server=lambda _: None)
    await client.delete(*names)
    await client.aclose()


async def test_a_rebuild_heals_a_wrong_value_under_the_right_version(
    availability: AvailabilityBench, reading: Reading
) -> None:
    await _write(availability, "S1")
    right = await availability.in_redis("S1")
    assert right is not None
    wrong = right.payload.replace(b'"available_to_sell":7', b'"available_to_sell":9')
    assert wrong != right.payload
    wrong = HEADER.pack(right.generation, right.version) + wrong
    async with open_redis(reading.url, on_server=lambda _: None) as redis:
        await redis.set("ats:{S1}", wrong)

    await availability.progress.ask_rebuild()
    availability.clock.advance(seconds=1)
    await availability.mirror.turn()

    healed = await availability.in_redis("S1")
    assert healed is not None
    assert (healed.version, healed.payload) == (right.version, right.payload)
    await reading.answers.refresh()
    assert await reading.figure("S1") == (7, True)
