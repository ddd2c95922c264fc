"""What may be promised for a day: what can be sold now and what will come, less what is accepted
for later; and from which day on so many can be.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypedDict

from services.availability.domain.figures import Figure, figures_of
from services.availability.domain.levels import NO_LEVEL, Levels, raised
from services.availability.domain.plans import ChannelPlan
from services.availability.domain.promise import Dated, available_to_promise, earliest_promise
from services.availability.handlers.assembling import Parts, made_for
from services.availability.handlers.planning import Plans, load
from services.availability.repository import kits, lines, reading, stock
from services.availability.repository.reading import Inputs
from services.availability.repository.supply import SUPPLY
from shared.postgres.connecting import Pool
from shared.stock.supply import SupplyLine, Why, on_order


class Arrival(TypedDict):
    """What one line of a supply order will bring; `why_not` names what keeps it out."""

    sku: str
    location: str
    units: int
    expected_at: datetime | None
    supply_id: str
    line_id: str
    why_not: Why | None


class Promise(TypedDict):
    """A channel's promise for a moment, with what it is made of; base units, signed."""

    sku: str
    channel: str
    at: datetime
    by: datetime
    available_to_sell: int
    available_to_promise: int
    on_order: int
    dated: list[dict[str, object]]
    arrivals: list[Arrival]
    quantity: int | None
    earliest: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One SKU's inputs, all read in one transaction; `coming` names the SKU or a part of it."""

    sku: str
    at: datetime
    inputs: Inputs
    parts: Parts
    plans: Plans
    demand: Sequence[Dated]
    coming: Sequence[SupplyLine]


async def promise(
    pool: Pool,
    sku: str,
    channel: str,
    by: datetime | None = None,
    quantity: int | None = None,
) -> Promise | None:
    """How many units can be promised through a channel by a moment (now, unless told), and with a
    `quantity` from when on so many can; None where the channel has no figure.

    The figure is worked out by the one formula, on the levels as they would be with what arrives
    by then (design, section 4), under the policies that are in force now.
    """
    known = await _read(pool, sku)
    part = None if known is None else _part(known, channel)
    if known is None or part is None:
        return None
    by = max(by or known.at, known.at)
    places = {name for name, _, _ in part.offering}
    counted = [c for c in known.coming if c.hindrance(known.at, places) is None]
    now = _figure(known, channel, ()).available_to_sell
    arrivals = _arrivals(known, channel, now, counted)
    return Promise(
        sku=sku, channel=channel, at=known.at, by=by, available_to_sell=now,
        available_to_promise=available_to_promise(now, arrivals, known.demand, by),
        on_order=on_order(c for c in known.coming if c.sku == sku),
        dated=[{"requested_for": at, "units": units} for at, units in known.demand],
        arrivals=[_told(c, c.hindrance(known.at, places)) for c in known.coming if c.units],
        quantity=quantity,
        earliest=None if quantity is None else earliest_promise(
            now, arrivals, known.demand, known.at, quantity
        ),
    )  # fmt: skip


async def _read(pool: Pool, sku: str) -> _Known | None:
    async with pool.acquire(timeout=5) as connection, connection.transaction():
        opened = await stock.begin_unread(connection)
        plans = await load(connection, opened)
        inputs = await reading.inputs(connection, sku)
        if inputs is None:
            return None
        parts = sorted(inputs.facts.parts())
        return _Known(
            sku=sku, at=opened.at, inputs=inputs, plans=plans,
            parts=await kits.parts(connection, parts),
            demand=await lines.dated_demand(connection, sku),
            coming=await SUPPLY.open_lines(connection, [sku, *parts]),
        )  # fmt: skip


def _part(known: _Known, channel: str) -> ChannelPlan | None:
    plan = known.plans.of(known.sku, known.inputs.facts, known.at)
    return next((part for part in plan.channels if part.channel.channel == channel), None)


def _arrivals(known: _Known, channel: str, now: int, counted: Sequence[SupplyLine]) -> list[Dated]:
    """By how much the channel's figure changes at each moment at which something arrives."""
    found: list[Dated] = []
    before = now
    for at in sorted({c.expected_at for c in counted if c.expected_at is not None}):
        arrived = [c for c in counted if c.expected_at is not None and c.expected_at <= at]
        then = _figure(known, channel, arrived).available_to_sell
        found.append((at, then - before))
        before = then
    return found


def _figure(known: _Known, channel: str, arrived: Collection[SupplyLine]) -> Figure:
    """The channel's figure if this had arrived."""
    inputs = _with(known.inputs, known.sku, arrived)
    parts = {name: _with(part, name, arrived) for name, part in known.parts.items()}
    plan = known.plans.of(known.sku, inputs.facts, known.at)
    made = made_for(inputs.facts, parts, known.plans, plan, known.at)
    figures = figures_of(inputs.levels, inputs.unsourced, plan, made)
    return next(figure for figure in figures if figure.channel == channel)


def _with(inputs: Inputs, sku: str, arrived: Collection[SupplyLine]) -> Inputs:
    more: Counter[str] = Counter()
    for line in arrived:
        if line.sku == sku:
            more[line.location] += line.units
    return inputs._replace(levels={**inputs.levels, **_raised(inputs.levels, more)})


def _raised(levels: Levels, more: Mapping[str, int]) -> Levels:
    found = {}
    for name, units in more.items():
        level = levels.get(name, NO_LEVEL)
        found[name] = raised(level, units)
    return found


def _told(line: SupplyLine, why_not: Why | None) -> Arrival:
    return Arrival(
        sku=line.sku, location=line.location, units=line.units, expected_at=line.expected_at,
        supply_id=line.supply_id, line_id=line.line_id, why_not=why_not,
    )  # fmt: skip
