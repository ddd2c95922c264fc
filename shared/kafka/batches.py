"""A batch of messages read under one assignment, and how it falls into halves."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol


class Message(Protocol):
    """What we use of aiokafka's ConsumerRecord; `timestamp` is the broker's, in milliseconds."""

    @property
    def topic(self) -> str: ...
    @property
    def partition(self) -> int: ...
    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...
    @property
    def headers(self) -> Sequence[tuple[str, bytes]]: ...


class Fenced(Exception):  # noqa: N818  (the design's word: a batch is fenced, nothing is erroneous)
    """A newer owner has claimed one of the batch's partitions: nothing was changed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """Messages of one partition in the order of their offsets.

    `expected` is where the position must stand before the batch, `next_offset` where it stands
    after it. Compacted logs have gaps, so `next_offset - expected` may exceed `len(messages)`.
    """

    topic: str
    partition: int
    epoch: int
    expected: int
    next_offset: int
    messages: tuple[Message, ...]

    def __post_init__(self) -> None:
        assert self.messages, "a slice holds at least one message"
        assert self.expected <= self.messages[0].offset, (self.expected, self.messages[0].offset)
        assert self.next_offset > self.messages[-1].offset, self.next_offset


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """Slices of different partitions, applied in one transaction."""

    slices: tuple[Slice, ...]

    def __len__(self) -> int:
        return sum(len(part.messages) for part in self.slices)

    def messages(self) -> Iterator[Message]:
        """Every message, slice after slice."""
        for part in self.slices:
            yield from part.messages

    def halves(self) -> tuple["Batch", "Batch"]:
        """Two batches that are applied one after the other in place of this one."""
        size = len(self)
        assert size > 1, "a batch of one has no halves"
        first: list[Slice] = []
        second: list[Slice] = []
        room = size // 2
        for part in self.slices:
            taken = min(room, len(part.messages))
            room -= taken
            if taken == len(part.messages):
                first.append(part)
            elif taken == 0:
                second.append(part)
            else:
                head, tail = _cut(part, taken)
                first.append(head)
                second.append(tail)
        return Batch(slices=tuple(first)), Batch(slices=tuple(second))


def _cut(part: Slice, count: int) -> tuple[Slice, Slice]:
    between = part.messages[count].offset
    head = Slice(
        topic=part.topic, partition=part.partition, epoch=part.epoch,
        expected=part.expected, next_offset=between, messages=part.messages[:count],
    )  # fmt: skip
    tail = Slice(
        topic=part.topic, partition=part.partition, epoch=part.epoch,
        expected=between, next_offset=part.next_offset, messages=part.messages[count:],
    )  # fmt: skip
    return head, tail
