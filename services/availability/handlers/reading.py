"""Bytes to values: a batch folded as far as it can be without the database."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import cast

from pydantic import ValidationError

from services.availability.domain.facts import Life
from services.availability.domain.levels import Level, fenced_level, fold_level
from services.availability.handlers.referring import Kept
from services.availability.handlers.translating import life_of, lines_of
from services.availability.repository.lines import Line, LineKey
from shared.contracts.allocations import Allocation
from shared.contracts.levels import RingFence, StockLevel
from shared.contracts.records import Undecodable, undecodable
from shared.contracts.reference import Channel, Location, Policy, Product
from shared.contracts.republishing import Republish, RepublishState
from shared.contracts.topics import ALLOCATIONS, REFERENCE_DATA, REPUBLISHES, STOCK_LEVELS
from shared.kafka.batches import Batch, Message
from shared.postgres.parking import Refusal
from shared.stock.policies import Term, accepts

YIELD_EVERY = 1000
TERMS = frozenset(Term)
ASKED_BY = "availability"


@dataclass(slots=True)
class Reading:
    """A batch that was read: levels by SKU and location, the highest version of each."""

    levels: dict[str, dict[str, Level]] = field(default_factory=dict)
    lives: dict[str, list[Life]] = field(default_factory=dict)
    records: list[Kept] = field(default_factory=list)
    lines: dict[LineKey, Line] = field(default_factory=dict)
    answers: dict[str, str] = field(default_factory=dict)  # topic → the request that was answered
    refusals: list[Refusal] = field(default_factory=list)
    messages: int = 0

    @property
    def is_levels_only(self) -> bool:
        return not (self.lives or self.records or self.lines or self.answers or self.refusals)


async def read(batch: Batch) -> Reading:
    """Read every message; what can't be read is a refusal. Lets others run every 1,000."""
    reading = Reading(messages=len(batch))
    for part in batch.slices:
        for start in range(0, len(part.messages), YIELD_EVERY):
            _read_slice(part.topic, part.messages[start : start + YIELD_EVERY], reading)
            await asyncio.sleep(0)
    return reading


def _read_slice(topic: str, messages: Sequence[Message], reading: Reading) -> None:
    if topic == STOCK_LEVELS.name:
        _read_levels(messages, reading)
    elif topic == ALLOCATIONS.name:
        _read_lines(messages, reading)
    elif topic == REFERENCE_DATA.name:
        _read_records(messages, reading)
    elif topic == REPUBLISHES.name:
        _read_answers(messages, reading)


def _read_answers(messages: Sequence[Message], reading: Reading) -> None:
    for message in messages:
        told = REPUBLISHES.decode(message.value)
        if isinstance(told, Undecodable):
            reading.refusals.append(_refusal(message, told))
            continue
        assert isinstance(told, Republish), told
        if told.asked_by == ASKED_BY and told.state is RepublishState.TOLD:
            reading.answers[told.topic] = told.request_id


def _read_levels(messages: Sequence[Message], reading: Reading) -> None:
    # The hottest loop of the service: the model's compiled validator, and nothing around it.
    read_one = StockLevel.__pydantic_validator__.validate_json
    levels = reading.levels
    for message in messages:
        try:
            told = cast("StockLevel", read_one(message.value or b"", by_alias=True, by_name=False))
        except ValidationError as error:
            reading.refusals.append(_refusal(message, undecodable(error)))
            continue
        level = Level(told.version, told.sellable, told.reserved, told.allocated, told.suspended)
        if told.ring_fences:
            level = fenced_level(level, _fenced(told.ring_fences))
        fold_level(levels.setdefault(told.sku, {}), told.location, level)


def _fenced(fences: Sequence[RingFence]) -> dict[str, int]:
    """Units by channel; what is for a customer or an order is shown to no channel."""
    found: dict[str, int] = {}
    for fence in fences:
        if fence.channel is not None:
            found[fence.channel] = found.get(fence.channel, 0) + fence.remaining
    return found


def _read_lines(messages: Sequence[Message], reading: Reading) -> None:
    for message in messages:
        told = ALLOCATIONS.decode(message.value)
        if isinstance(told, Undecodable):
            reading.refusals.append(_refusal(message, told))
            continue
        assert isinstance(told, Allocation), told
        for line in lines_of(told):
            held = reading.lines.get(line.key)
            if held is None or held.version < line.version:
                reading.lines[line.key] = line


def _read_records(messages: Sequence[Message], reading: Reading) -> None:
    for message in messages:
        told = REFERENCE_DATA.decode(message.value)
        if isinstance(told, Undecodable):
            reading.refusals.append(_refusal(message, told))
        elif isinstance(told, Product):
            reading.lives.setdefault(told.sku, []).append(life_of(told))
        elif isinstance(told, Location | Channel):
            reading.records.append(told)
        elif isinstance(told, Policy) and told.term in TERMS:
            _read_policy(message, told, reading)


def _read_policy(message: Message, told: Policy, reading: Reading) -> None:
    """A policy of a term that is ours; other terms are other services' and passed over."""
    if told.value is None or not accepts(Term(told.term), told.value):
        detail = f"the value doesn't fit the term {told.term}"
        reading.refusals.append(Refusal(message=message, reason="invalid", detail=detail))
    else:
        reading.records.append(told)


def _refusal(message: Message, found: Undecodable) -> Refusal:
    return Refusal(message=message, reason=str(found.reason), detail=found.detail)
