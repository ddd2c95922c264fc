"""Batches fall into halves that chain their positions."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.kafka.batches import Batch, Slice
from shared.testing.messages import FakeMessage


def a_slice(partition: int, offsets: list[int]) -> Slice:
    return Slice(
        topic="t", partition=partition, epoch=1, expected=offsets[0], next_offset=offsets[-1] + 3,
        messages=tuple(FakeMessage(partition=partition, offset=o) for o in offsets),
    )  # fmt: skip


logs = st.lists(
    st.lists(st.integers(0, 100), min_size=1, max_size=8, unique=True).map(sorted),
    min_size=1,
    max_size=4,
)


@given(logs)
def test_halves_hold_every_message_once_and_their_positions_meet(log: list[list[int]]) -> None:
    batch = Batch(slices=tuple(a_slice(n, offsets) for n, offsets in enumerate(log)))
    if len(batch) == 1:
        return

    first, second = batch.halves()

    assert [*first.messages(), *second.messages()] == list(batch.messages())
    assert abs(len(first) - len(second)) <= 1
    ends = {part.partition: part.next_offset for part in first.slices}
    for part in second.slices:
        assert part.expected == ends.get(part.partition, part.expected)
    for part in batch.slices:
        halves = [p for p in (*first.slices, *second.slices) if p.partition == part.partition]
        assert halves[0].expected == part.expected
        assert halves[-1].next_offset == part.next_offset


def test_a_batch_of_one_has_no_halves() -> None:
    with pytest.raises(AssertionError, match="no halves"):
        Batch(slices=(a_slice(0, [1]),)).halves()


def test_a_slice_that_starts_before_its_position_is_refused() -> None:
    with pytest.raises(AssertionError):
        Slice(topic="t", partition=0, epoch=1, expected=5, next_offset=7,
              messages=(FakeMessage(offset=4),))  # fmt: skip
