"""What can be promised by a day: what is there now, what will come, what is already asked for."""

from collections.abc import Sequence
from datetime import datetime

Dated = tuple[datetime, int]


def available_to_promise(
    available_to_sell: int, arrivals: Sequence[Dated], demand: Sequence[Dated], by: datetime
) -> int:
    """The lowest, over every moment from `by` on, of stock + arrivals − demand up to then; signed.

    `demand` is what is dated and not already held: a held unit has left `available_to_sell`. A
    promise made by `by` must not take the unit that a later demand counts on.
    """
    changes = sorted([*arrivals, *((at, -quantity) for at, quantity in demand)])
    projected = available_to_sell + sum(quantity for at, quantity in changes if at <= by)
    lowest = projected
    later = [change for change in changes if change[0] > by]
    for position, (at, quantity) in enumerate(later):
        projected += quantity
        is_last_of_moment = position + 1 == len(later) or later[position + 1][0] != at
        if is_last_of_moment:
            lowest = min(lowest, projected)
    return lowest


def earliest_promise(
    available_to_sell: int,
    arrivals: Sequence[Dated],
    demand: Sequence[Dated],
    now: datetime,
    quantity: int,
) -> datetime | None:
    """The first moment from `now` on by which `quantity` units can be promised; None for never."""
    for by in sorted({now, *(at for at, _ in arrivals if at > now)}):
        if available_to_promise(available_to_sell, arrivals, demand, by) >= quantity:
            return by
    return None
