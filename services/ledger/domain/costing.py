"""Weighted average cost of a SKU, by legal entity: the perpetual moving average.

What comes in at a cost is mixed with what is there: `(quantity × average + units × cost) /
(quantity + units)`, and what leaves does so at the average, which it doesn't change (IAS 2,
paragraph 27, "as each additional shipment is received"). What goes back to its supplier takes its
own cost along. Where nothing is there, or less, the next cost is the average. Quantities of the
order book are not looked at, only of the shelves.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from itertools import groupby
from uuid import UUID

# Of a currency unit; an average is rounded here, half to even, each time that it changes.
PLACES = Decimal("0.000001")
REVALUATION = "revaluation"
COSTED = frozenset({"opening", "receipt", "supplier_return"})

Entity = str
States = Mapping[Entity, "State"]


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """What one entity has of a SKU; `uncosted` are units that have come in without a cost."""

    quantity: int = 0
    unit_cost: Decimal | None = None
    currency: str | None = None
    uncosted: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Units that leave and enter; None is outside of all entities. `unit_cost` as it was told.

    `restates`: sets right what an opening or a count found; as if it had come before that.
    """

    event_id: UUID
    at: datetime
    type: str
    quantity: int
    came_from: Entity | None
    goes_to: Entity | None
    unit_cost: Decimal | None = None
    currency: str | None = None
    restates: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """How it stands after all that happened up to a moment, which changed a cost."""

    at: datetime
    states: States


def points(states: States, moves: Iterable[Move]) -> list[Point]:
    """The points that follow from `states`, in whatever order the moves are given.

    What comes in at a moment comes before what goes out at it: a correction takes back what it
    corrects at the moment of that. What was there before an opening goes first, at the average:
    it has no part in what the opening says. What is valued anew is so after all that moved.
    """
    now = dict(states)
    found: list[Point] = []
    ordered = sorted(moves, key=lambda move: (move.at, _place(move), move.event_id))
    for at, together in groupby(ordered, key=lambda move: move.at):
        before = dict(now)
        for move in together:
            _apply(now, move)
        if any(_costs(state) != _costs(before.get(name)) for name, state in now.items()):
            found.append(Point(at=at, states=dict(now)))
    return found


def _place(move: Move) -> int:
    if move.type == REVALUATION:
        return 2
    return -1 if move.restates else int(move.came_from is not None)


def _costs(state: State | None) -> tuple[object, ...]:
    return (None, None, 0) if state is None else (state.unit_cost, state.currency, state.uncosted)


def _apply(now: dict[Entity, State], move: Move) -> None:
    if move.type == REVALUATION and move.goes_to is not None:
        held = now.get(move.goes_to, State())
        now[move.goes_to] = replace(held, unit_cost=move.unit_cost, currency=move.currency)
    if move.came_from == move.goes_to:
        return
    cost, currency = _cost_of(now, move)
    if move.came_from is not None:
        now[move.came_from] = _less(now.get(move.came_from, State()), move, cost, currency)
    if move.goes_to is not None:
        now[move.goes_to] = _more(now.get(move.goes_to, State()), move.quantity, cost, currency)


def _cost_of(now: Mapping[Entity, State], move: Move) -> tuple[Decimal | None, str | None]:
    """What a unit is worth on its way: as told, or what it was worth to the giver."""
    if move.came_from is not None and move.goes_to is not None:
        giver = now.get(move.came_from, State())
        return giver.unit_cost, giver.currency
    if move.type in COSTED:
        return move.unit_cost, move.currency
    return None, None


def _more(state: State, units: int, cost: Decimal | None, currency: str | None) -> State:
    """Without a cost, or in another currency, units come in at the average, and are counted."""
    quantity = state.quantity + units
    if cost is None or state.currency not in (None, currency):
        is_told = units > 0 and (cost is not None or state.unit_cost is None)
        return replace(
            state, quantity=quantity, uncosted=state.uncosted + (units if is_told else 0)
        )
    average = cost
    if state.quantity > 0 and state.unit_cost is not None and quantity > 0:
        average = (state.quantity * state.unit_cost + units * cost) / quantity
    return replace(state, quantity=quantity, unit_cost=_rounded(average), currency=currency)


def _less(state: State, move: Move, cost: Decimal | None, currency: str | None) -> State:
    """At the average; what goes back at a cost of its own takes that along, if so much is there."""
    quantity = state.quantity - move.quantity
    after = replace(state, quantity=quantity)
    if move.goes_to is not None or cost is None or state.unit_cost is None:
        return after
    if quantity <= 0 or currency != state.currency:
        return after
    average = (state.quantity * state.unit_cost - move.quantity * cost) / quantity
    return after if average < 0 else replace(after, unit_cost=_rounded(average))


def _rounded(average: Decimal) -> Decimal:
    return average.quantize(PLACES, rounding=ROUND_HALF_EVEN)
