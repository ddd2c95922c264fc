"""Rows to messages: the states that the ledger publishes."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import asyncpg

from shared.contracts.allocations import Allocated, Allocation
from shared.contracts.cloudevents import headers_for
from shared.contracts.levels import OwnedUnits, Position, StockLevel
from shared.contracts.records import Message
from shared.contracts.topics import ALLOCATIONS, STOCK_LEVELS, Topic
from shared.kafka.producing import Outgoing

SOURCE = "stocktide:ledger"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

LineRow = asyncpg.Record
Balance = tuple[str, str, str, int]  # bucket, owner, what it counts as, units


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
        owned_by_others=tuple(others), ring_fences=(), suspended=False,
        counted_at=level.anchored_at, recorded_at=_moment(level.version),
        movement_position=position,
    )  # fmt: skip
    return _outgoing(STOCK_LEVELS, state, level.partition, level.version)


def line_message(row: asyncpg.Record) -> Outgoing:
    """The outcome of one order line. Its short units are booked at its first candidate, so that
    they count there; the message tells them apart from what is really set aside.
    """
    booked: dict[str, int] = dict(row["booked"] or ())
    if row["short"]:
        booked[row["first_candidate"]] -= row["short"]
    allocation = Allocation(
        order_id=row["order_id"], line_id=row["line_id"], sku=row["sku"],
        version=row["version"], decided_for=max(0, row["revision"]), wanted=row["wanted"],
        shipped=row["shipped"], short=row["short"] + row["unsourced"],
        short_at=row["first_candidate"] if row["short"] else None,
        dated=row["dated"], requested_for=row["requested_for"],
        allocated=tuple(
            Allocated(location=location, quantity=quantity)
            for location, quantity in booked.items()
            if quantity > 0
        ),
        recorded_at=_moment(row["version"]),
    )  # fmt: skip
    return _outgoing(ALLOCATIONS, allocation, row["partition"], row["version"])


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
