"""The fates of a message: retried in order, halved, parked alone, and too many bugs."""

import asyncio
from datetime import UTC, datetime

import asyncpg
import pytest

from shared.kafka.batches import Batch, Slice
from shared.kafka.consuming import BUGS_PER_MINUTE_MAX, Consuming, TooManyBugs
from shared.kafka.handling import ConsumerOptions
from shared.postgres.positions import Claim
from shared.runtime.clock import ManualClock
from shared.testing.messages import FakeMessage


class Recording:
    """A handler whose messages say what happens to them."""

    def __init__(self) -> None:
        self.applied: list[int] = []
        self.parked: list[int] = []
        self.away = 0
        self.away_with: Exception = OSError("connection refused")

    async def decode(self, batch: Batch) -> list[int]:
        return [message.offset for message in batch.messages()]

    async def apply(self, batch: Batch, decoded: list[int]) -> None:
        if self.away:
            self.away -= 1
            raise self.away_with
        for message in batch.messages():
            if message.value == b"bug":
                raise RuntimeError("a bug on this message")
            if message.value == b"data":
                raise asyncpg.NumericValueOutOfRangeError("too large")
        self.applied += decoded

    async def park(self, batch: Batch, error: BaseException) -> None:
        self.parked += [message.offset for message in batch.messages()]


class Nowhere:
    """Positions that nobody asks."""

    async def read(self, topic: str, partition: int) -> int | None:
        raise AssertionError

    async def claim(self, topic: str, partition: int, *, first_offset: int) -> Claim:
        raise AssertionError


def a_batch(values: list[bytes]) -> Batch:
    messages = tuple(FakeMessage(offset=n, value=value) for n, value in enumerate(values))
    return Batch(
        slices=(
            Slice(topic="t", partition=0, epoch=1, expected=0, next_offset=len(values),
                  messages=messages),
        )
    )  # fmt: skip


async def apply(handler: Recording, values: list[bytes], *, closing: bool = False) -> None:
    options = ConsumerOptions(servers="", group="g", topics=("t",), batch_max=lambda: 1)
    clock = ManualClock(datetime(2026, 6, 1, tzinfo=UTC))
    told_to_close = asyncio.Event()
    if closing:
        told_to_close.set()
    consuming = Consuming(options, handler, Nowhere(), clock, told_to_close)
    batch = a_batch(values)
    try:
        await consuming._apply(batch, await handler.decode(batch))
    finally:
        assert consuming.waiting_for is None  # it would keep the probe at "not ready" for ever


@pytest.mark.parametrize("poison", [b"bug", b"data"])
async def test_one_poisoned_message_in_thousands_parks_alone(poison: bytes) -> None:
    handler = Recording()
    values = [b"fine"] * 3_000
    values[1_234] = poison

    await apply(handler, values)

    assert handler.parked == [1_234]
    assert handler.applied == [n for n in range(3_000) if n != 1_234]


async def test_a_dependency_that_is_away_is_waited_for_and_nothing_is_parked() -> None:
    handler = Recording()
    handler.away = 3

    await apply(handler, [b"fine"] * 5)

    assert handler.applied == [0, 1, 2, 3, 4]
    assert handler.parked == []


@pytest.mark.parametrize(
    "error",
    [OSError("refused"), asyncpg.InternalClientError("another operation is in progress")],
)
async def test_a_dependency_that_goes_while_we_close_parks_nothing(error: Exception) -> None:
    """It is back a moment later, and every message of the batch would be parked as a bug."""
    handler = Recording()
    handler.away, handler.away_with = 1, error

    with pytest.raises(type(error)):
        await apply(handler, [b"fine"] * 5, closing=True)

    assert handler.parked == []
    assert handler.applied == []


async def test_ten_bugs_in_a_minute_stop_the_worker_and_bad_data_does_not() -> None:
    await apply(Recording(), [b"data"] * 50)

    with pytest.raises(TooManyBugs):
        await apply(Recording(), [b"bug"] * BUGS_PER_MINUTE_MAX)
