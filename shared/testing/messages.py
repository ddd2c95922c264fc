"""Builders of Kafka messages, for tests that feed a handler without a broker."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from shared.contracts.topics import STOCK_MOVEMENTS
from shared.kafka.batches import Batch, Message, Slice

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class FakeMessage:
    """A message as aiokafka hands it over."""

    topic: str = STOCK_MOVEMENTS.name
    partition: int = 0
    offset: int = 0
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = None
    headers: Sequence[tuple[str, bytes]] = ()


def a_movement(**overrides: object) -> dict[str, object]:
    """A five-field movement as JSON values: a sale of one unit of S1 at L1 at noon."""
    movement: dict[str, object] = {
        "type": "sale",
        "sku": "S1",
        "location": "L1",
        "quantity": 1,
        "occurred_at": NOON,
    }
    return movement | overrides


def a_message(
    payload: Mapping[str, object] | bytes,
    *,
    offset: int = 0,
    ce_id: str | None = None,
    source: str = "till:1",
    topic: str = STOCK_MOVEMENTS.name,
    partition: int = 0,
) -> FakeMessage:
    """A CloudEvent in binary mode; `ce_id` is unique by its offset unless given."""
    value = payload if isinstance(payload, bytes) else json.dumps(payload, default=_text).encode()
    headers = [
        ("ce_specversion", b"1.0"),
        ("ce_id", (ce_id or f"m{offset}").encode()),
        ("ce_source", source.encode()),
        ("ce_type", b"io.stocktide.movement.v1"),
    ]
    return FakeMessage(
        topic=topic, partition=partition, offset=offset, value=value, headers=headers
    )


def a_batch(messages: Sequence[Message], *, epoch: int, expected: int) -> Batch:
    """One slice of messages of one partition, in the order of their offsets."""
    return Batch(
        slices=(
            Slice(
                topic=messages[0].topic, partition=messages[0].partition, epoch=epoch,
                expected=expected, next_offset=messages[-1].offset + 1, messages=tuple(messages),
            ),
        )
    )  # fmt: skip


def _text(value: object) -> str:
    assert isinstance(value, datetime), value
    return value.isoformat()
