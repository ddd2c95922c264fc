"""Rows to messages: the states that the ledger publishes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg

from services.ledger.domain.outcomes import Booked, in_kits
from shared.contracts.allocations import Allocated, Allocation, PartOutcome
from shared.contracts.cloudevents import headers_for
from shared.contracts.levels import (
    ACCOUNTS_MAX,
    OwnedUnits,
    Position,
    RingFence,
    StockLevel,
)
from shared.contracts.records import Message
from shared.contracts.topics import ALLOCATIONS, STOCK_LEVELS, Topic
from shared.kafka.producing import Outgoing

SOURCE = "stocktide:ledger"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

# As many as the contract lets a line tell; those that are in the kit no more come last.
PARTS_MAX = 200

LineRow = asyncpg.Record
Balance = tuple[str, str, str, int]  # bucket, owner, what it counts as, units
FenceLeft = tuple[str, str | None, int, datetime | None]  # hold, its channel, units left, until


class LevelState(NamedTuple):
    """A level as it is told. `balances` are those of its accounts that are not 0, but for what
    is sellable and our own.
    """

    sku: str
    location: str
    partition: int
    version: int
    sellable: int
    reserved: int
    allocated: int
    anchored_at: datetime | None
    last_partition: int | None
    last_offset: int | None
    balances: Sequence[Balance] | None = None
    fences: Sequence[FenceLeft] | None = None
    is_suspended: bool = False


def level_message(level: LevelState) -> Outgoing:
    """The state of one SKU at one location. Own units of buckets that count as sellable are in
    `sellable`, whatever the bucket is called.
    """
    sellable = level.sellable
    buckets: dict[str, int] = {}
    others: list[OwnedUnits] = []
    for bucket, owner, counts_as, quantity in level.balances or ():
        if owner != "own":
            others.append(OwnedUnits(owner=owner, bucket=bucket, quantity=quantity))
        else:
            buckets[bucket] = quantity
            if counts_as == "sellable":
                sellable += quantity
    position = None
    if level.last_partition is not None and level.last_offset is not None:
        position = Position(partition=level.last_partition, offset=level.last_offset)
    state = StockLevel.model_construct(
        sku=level.sku, location=level.location, version=level.version, sellable=sellable,
        reserved=level.reserved, allocated=level.allocated, buckets=buckets,
        owned_by_others=tuple(others), ring_fences=_fences(level.fences),
        suspended=level.is_suspended, counted_at=level.anchored_at,
        recorded_at=_moment(level.version), movement_position=position,
    )  # fmt: skip
    return _outgoing(STOCK_LEVELS, state, level.partition, level.version)


def _fences(fences: Sequence[FenceLeft] | None) -> tuple[RingFence, ...]:
    """Those that end first come first; beyond what a level may tell none is shown to anybody."""
    return tuple(
        RingFence(hold_id=hold_id, channel=channel, remaining=left, until=until)
        for hold_id, channel, left, until in (fences or ())[:ACCOUNTS_MAX]
    )


def line_message(row: LineRow, parts: Sequence[LineRow] = ()) -> Outgoing:
    """The outcome of one order line; a kit's in whole kits, with those of its `parts`.

    Short units are booked at the first candidate, so that they count there; the message tells them
    apart from what is really set aside.
    """
    told = in_kits(_booked(row), [_booked(part) for part in parts])
    allocation = Allocation(
        order_id=row["order_id"], line_id=row["line_id"], sku=row["sku"],
        version=row["version"], decided_for=max(0, row["revision"]), wanted=told.wanted,
        shipped=told.shipped, picked=told.picked, short=told.short + told.unsourced,
        short_at=told.first if told.short else None,
        dated=told.dated, requested_for=row["requested_for"],
        allocated=_allocated(told.booked), parts=tuple(map(_part, parts[:PARTS_MAX])),
        recorded_at=_moment(row["version"]),
    )  # fmt: skip
    return _outgoing(ALLOCATIONS, allocation, row["partition"], row["version"])


def _booked(row: LineRow) -> Booked[str]:
    return Booked(
        wanted=row["wanted"], shipped=row["shipped"], picked=row["picked"],
        booked=dict(row["booked"] or ()),
        short=row["short"], unsourced=row["unsourced"], dated=row["dated"],
        in_parts=row["in_parts"], per_kit=row["per_kit"], first=row["first_candidate"],
    )  # fmt: skip


def _part(row: LineRow) -> PartOutcome:
    told = _booked(row)
    return PartOutcome(
        sku=row["sku"], wanted=told.wanted, shipped=told.shipped, picked=told.picked,
        allocated=_allocated(told.served()), short=told.short + told.unsourced, dated=told.dated,
    )  # fmt: skip


def _allocated(booked: Mapping[str, int]) -> tuple[Allocated, ...]:
    return tuple(
        Allocated(location=location, quantity=quantity)
        for location, quantity in booked.items()
        if quantity > 0
    )


def _outgoing(topic: Topic, message: Message, partition: int, version: int) -> Outgoing:
    key = message.key()
    return Outgoing(
        topic=topic.name,
        partition=partition,
        key=key,
        value=message.encode(),
        headers=headers_for(
            id_=f"{key.decode()}@{version}", source=SOURCE, type_=topic.ce_type,
            time=_moment(version),
        ),
    )  # fmt: skip


def _moment(version: int) -> datetime:
    """Versions are microseconds since 1970 of the transaction, or a little more."""
    return EPOCH + timedelta(microseconds=version)
