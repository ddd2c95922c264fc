"""The ports of the consumer shell: what a service does with a batch, and where positions stand."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from shared.kafka.batches import Batch
from shared.postgres.positions import Claim

Decoded = TypeVar("Decoded")


class Handler(Protocol[Decoded]):
    """What a service does with a batch. A batch of one is the same code."""

    async def decode(self, batch: Batch) -> Decoded:
        """Turn bytes into values; runs while the batch before is in Postgres. Never raises for
        foreign data: what cannot be read is part of the result, to be parked by `apply`.
        """
        ...

    async def apply(self, batch: Batch, decoded: Decoded) -> None:
        """One transaction: the position moves, and everything the batch says happens.

        Raises Fenced when the position is not where the batch expects it.
        """
        ...

    async def park(self, batch: Batch, error: BaseException) -> None:
        """Move the position past the batch's one message, and keep it with its traceback."""
        ...


class Claiming(Protocol):
    """The port to the positions of record."""

    async def read(self, topic: str, partition: int) -> int | None: ...
    async def claim(self, topic: str, partition: int, *, first_offset: int) -> Claim: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsumerOptions:
    """How a service reads. `batch_max` is asked before each fetch."""

    servers: str
    group: str
    topics: tuple[str, ...]
    batch_max: Callable[[], int]
    session_timeout_ms: int = 6_000
    fetch_bytes: int = 4 * 1024 * 1024
