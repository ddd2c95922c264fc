"""Kits: how many can be made up of their parts, per location and channel."""

from collections.abc import Sequence
from typing import NamedTuple

from services.availability.domain.figures import Offers, offers_of, owed_by, stands
from services.availability.domain.levels import Levels
from services.availability.domain.plans import ChannelPlan, Plan


class Component(NamedTuple):
    """A part of a kit with what is known of it. `plan` names the channels in the kit's order."""

    sku: str
    quantity: int
    levels: Levels
    unsourced: int
    plan: Plan
    is_recalled: bool = False


def made_up(components: Sequence[Component], plan: Plan) -> list[Offers]:
    """For each channel of the kit's plan: location → kits that its parts there make up.

    The minimum over the parts at each location, of whole kits; never a sum over locations first,
    since no kit is made of parts that lie apart.
    """
    assert components, "a kit has parts"
    offers = [spare_offers(component) for component in components]
    return [
        _at_places(part, components, [each[i] for each in offers])
        for i, part in enumerate(plan.channels)
    ]


def _at_places(
    part: ChannelPlan, components: Sequence[Component], offers: Sequence[Offers]
) -> Offers:
    found = {
        name: min(
            each.get(name, 0) // component.quantity
            for component, each in zip(components, offers, strict=True)
        )
        for name, _, _ in part.offering
    }
    return {name: kits for name, kits in found.items() if kits}


def spare_offers(component: Component) -> list[Offers]:
    """For each channel: location → units of the part that are spare for kits.

    What the part's locations offer under its own terms, less what the pool owes of it already
    (short lines, lines without a place), served in the order of the pool. Nothing of a recalled
    part; other ends of its own sale do not bind, because a part may never be sold alone.
    """
    if component.is_recalled:
        return [{} for _ in component.plan.channels]
    free, _, suspended, _ = stands(component.levels)
    return [
        _less_owed(offers_of(free, suspended, part), owed_of(component, i))
        for i, part in enumerate(component.plan.channels)
    ]


def owed_of(component: Component, channel: int) -> int:
    """Units of the part that the channel's pool owes already: short, or without a place."""
    _, short, _, _ = stands(component.levels)
    return owed_by(short, component.plan.channels[channel]) + component.unsourced


def _less_owed(offers: Offers, owed: int) -> Offers:
    spare: dict[str, int] = {}
    for name, units in offers.items():
        served = min(units, owed)
        owed -= served
        if units > served:
            spare[name] = units - served
    return spare
