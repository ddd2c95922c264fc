"""What locked orders want now: their reference data is looked up, and each line decided."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.orders.domain.folding import Order, OrderLine
from services.orders.domain.references import ChannelTerms, MadeOf, Sold, record_at
from services.orders.domain.sourcing import Sourcing
from services.orders.domain.wishing import (
    Command,
    Decision,
    Known,
    Waiting,
    Wish,
    decide,
    follow,
    last_revision,
)
from services.orders.repository import folding, kits, references
from services.orders.repository.folding import Decided, LineRow, OrderRow
from shared.postgres.connecting import Connection


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The reference data that a slice of orders names."""

    channels: Mapping[str, Sequence[ChannelTerms]]
    listings: Mapping[references.ListingKey, Sequence[Sold]]
    skus: frozenset[str]
    kits: Mapping[str, Sequence[MadeOf]]


async def decide_orders(
    connection: Connection, rows: Iterable[OrderRow], sourcing: Sourcing, now: datetime
) -> list[Decided]:
    """Decide every line of these folded orders, and write what follows; returns the decisions.

    The orders are locked and the reference data is held: `now` is read after that.
    """
    told = [(row, row.order) for row in rows if row.order is not None]
    found = await _look_up(connection, told)
    decided = [
        _decide_line(row, order, line, found, sourcing, now)
        for row, order in told
        for line in order.lines.values()
    ]
    await folding.save_decided(connection, decided)
    return decided


async def _look_up(connection: Connection, told: Sequence[tuple[OrderRow, Order]]) -> Found:
    lines = [(row, order, line) for row, order in told for line in order.lines.values()]
    keys = {(order.channel, line.listing) for _, order, line in lines if line.listing is not None}
    channels = await references.channels_of(connection, {order.channel for _, order in told})
    listings = await references.listings_of(connection, keys)
    skus = {line.sku for _, _, line in lines if line.sku is not None}
    skus |= {sold.sku for records in listings.values() for sold in records}
    skus |= {held.sold.sku for row, _ in told for held in row.lines.values() if held.sold}
    known = await references.known_skus(connection, skus)
    made_of = await kits.kits_of(connection, skus)
    return Found(channels=channels, listings=listings, skus=known, kits=made_of)


def _decide_line(
    row: OrderRow, order: Order, line: OrderLine, found: Found, sourcing: Sourcing, now: datetime
) -> Decided:
    held = row.line(line.line_id)
    ordered_at = order.placed_at or row.heard_at
    sold = _sold(order, line, held, found, ordered_at)
    known = Known(
        channel=record_at(found.channels.get(order.channel, ()), now), sold=sold,
        skus=found.skus, kits=found.kits,
    )  # fmt: skip
    decision = decide(
        order, line, known, sourcing,
        ordered_at=ordered_at, commands=held.commands, outcome=held.outcome,
    )  # fmt: skip
    commands = follow(held.commands, decision, _microseconds(now))
    revision = last_revision([*held.commands.values(), *commands])
    return _decided(order, line, decision, commands, revision, sold)


def _sold(
    order: Order, line: OrderLine, held: LineRow, found: Found, ordered_at: datetime
) -> Sold | None:
    """What the listing was when it was ordered: an order does not follow a listing that moves.

    A listing that was taken back since stays what it was resolved to for this line.
    """
    if line.listing is None:
        return None
    records = found.listings.get((order.channel, line.listing), ())
    sold = record_at(records, ordered_at)
    return held.sold if sold is None and held.listing == line.listing else sold


def _decided(
    order: Order,
    line: OrderLine,
    decision: Decision,
    commands: Sequence[Command],
    revision: int | None,
    sold: Sold | None,
) -> Decided:
    waits_for = decision.waits_for if isinstance(decision, Waiting) else None
    return Decided(
        order_id=order.order_id, line_id=line.line_id, channel=order.channel,
        listing=line.listing, decision=name_of(decision),
        reason=None if isinstance(decision, Wish) else str(decision.reason),
        waits_for=waits_for, revision=revision, sold=sold, commands=commands,
    )  # fmt: skip


def name_of(decision: Decision) -> str:
    """The decision's type in a word."""
    return type(decision).__name__.lower()


def _microseconds(moment: datetime) -> int:
    return int(moment.timestamp()) * 1_000_000 + moment.microsecond
