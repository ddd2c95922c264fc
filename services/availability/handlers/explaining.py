"""Why it is that many: every term of a figure, with the policies that won and lost."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.availability.domain.figures import Figure, figures_of
from services.availability.domain.kits import Component, made_up, owed_of, spare_offers
from services.availability.domain.levels import NO_LEVEL, Level
from services.availability.domain.plans import ChannelPlan, PlacePlan, offered
from services.availability.handlers.assembling import Parts, components_of
from services.availability.handlers.planning import Plans, load
from services.availability.handlers.translating import reference_of
from services.availability.repository import kits, lines, reading, reference, stock
from services.availability.repository.reading import Inputs
from shared.postgres.connecting import Pool
from shared.stock.policies import Contest, Policy, Term

Explained = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartTold:
    """The ledger's books of one part of a kit at a past moment."""

    levels: Mapping[str, Level]
    unsourced: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A past moment, and the ledger's books of the SKU then, and of its parts where it's a kit."""

    at: datetime
    levels: Mapping[str, Level]
    unsourced: int = 0
    parts: Mapping[str, PartTold] = field(default_factory=dict)


async def explain(
    pool: Pool, sku: str, channel: str | None, location: str | None
) -> Explained | None:
    """The terms of the SKU's figures now, from what they are made of; None for an unknown SKU.

    `channel` and `location` choose; without them all are explained.
    """
    async with pool.acquire(timeout=5) as connection, connection.transaction():
        opened = await stock.begin_unread(connection)
        plans = await load(connection, opened)
        inputs = await reading.inputs(connection, sku)
        dated = await lines.dated_demand(connection, sku)
        if inputs is None:
            return None
        parts = await kits.parts(connection, sorted(inputs.facts.parts()))
    return {
        "sku": sku,
        "version": inputs.version,
        "policy_version": opened.policy_version,
        "at": opened.at.isoformat(),
        "dated": [{"requested_for": at, "units": units} for at, units in dated],
        "kit": _kit(inputs, opened.at),
        "channels": _channels(sku, inputs, parts, plans, opened.at, channel, location),
    }


async def explain_at(
    pool: Pool, sku: str, told: Told, channel: str | None, location: str | None
) -> Explained:
    """The terms of the SKU's figures at a past moment: policies as they had been told by then, on
    levels as the ledger had recorded them, which `told` brings. What was *shown* then is in the
    publication ledger.
    """
    async with pool.acquire(timeout=5) as connection, connection.transaction():
        numbers = await reference.channel_numbers(connection)
        records = await reference.shared_records_at(connection, told.at)
        facts = await reading.facts_at(connection, sku, told.at)
        facts_of = {
            part: await reading.facts_at(connection, part, told.at) for part in facts.parts()
        }
    plans = Plans(reference_of(records, numbers, version=0), told.at)
    inputs = Inputs(version=0, unsourced=told.unsourced, levels=dict(told.levels), facts=facts)
    parts = {
        part: Inputs(0, books.unsourced, dict(books.levels), found)
        for part, found in facts_of.items()
        if (books := told.parts.get(part)) is not None
    }
    return {
        "sku": sku,
        "at": told.at.isoformat(),
        "kit": _kit(inputs, told.at),
        "channels": _channels(sku, inputs, parts, plans, told.at, channel, location),
    }


def _channels(
    sku: str,
    inputs: Inputs,
    parts: Parts,
    plans: Plans,
    moment: datetime,
    channel: str | None,
    location: str | None,
) -> Explained:
    plan = plans.of(sku, inputs.facts, moment)
    components = components_of(inputs.facts, parts, plans, moment)
    made = made_up(components, plan) if components else None
    figures = figures_of(inputs.levels, inputs.unsourced, plan, made)
    found: Explained = {}
    for i, (figure, part) in enumerate(zip(figures, plan.channels, strict=True)):
        if channel in (None, figure.channel):
            explained = _channel(figure, part, inputs, location)
            if components:
                explained["parts"] = [_component(each, i, part, location) for each in components]
            found[figure.channel] = explained
    return found


def _kit(inputs: Inputs, moment: datetime) -> list[Explained]:
    """What goes into one at this moment; nothing for what is no kit."""
    kit = inputs.facts.life_at(moment).kit
    return [{"sku": part.sku, "quantity": part.quantity} for part in kit]


def _component(
    component: Component, channel: int, kit: ChannelPlan, location: str | None
) -> Explained:
    """How many kits one part is enough for at each place where the kit may be offered."""
    part, spare = component.plan.channels[channel], spare_offers(component)[channel]
    return {
        "sku": component.sku,
        "quantity": component.quantity,
        "recalled": component.is_recalled,
        "owed": owed_of(component, channel),
        "locations": {
            name: {
                **_place(part.places[name], component.levels.get(name, NO_LEVEL)),
                "spare": spare.get(name, 0),
                "enough_for": spare.get(name, 0) // component.quantity,
            }
            for name, _, _ in kit.offering
            if location in (None, name)
        },
    }


def _channel(figure: Figure, part: ChannelPlan, inputs: Inputs, location: str | None) -> Explained:
    terms = figure.terms
    return {
        "available_to_sell": figure.available_to_sell,
        "terms": {
            "offered": terms.offered,
            "ring_fenced": terms.ring_fenced,
            "short": terms.short,
            "unsourced": terms.unsourced,
            "pool": terms.pool,
            "channel_buffer": terms.channel_buffer,
            "shareable": terms.shareable,
            "share_permille": part.share_permille,
            "share": figure.share,
            "max_listed": part.max_listed,
            "end_when": part.end_when,
            "closed": figure.is_closed,
        },
        "policies": _contests(part.contests),
        "locations": {
            name: _place(part.places[name], level)
            for name in part.places
            if location in (None, name) and (level := inputs.levels.get(name)) is not None
        },
        "not_in_pool": sorted(inputs.levels.keys() - part.places.keys()),
    }


def _place(place: PlacePlan, level: Level) -> Explained:
    return {
        "sellable": level.sellable,
        "reserved": level.reserved,
        "allocated": level.allocated,
        "free": level.free,
        "short": level.short,
        "suspended": level.suspended,
        "ring_fences": dict(level.fences),
        "own_till": place.is_own_till,
        "buffer": place.buffer,
        "hindrance": place.hindrance,
        "offered": offered(place, level),
        "level_version": level.version,
        "policies": _contests(place.contests),
    }


def _contests(contests: Mapping[Term, Contest]) -> Explained:
    return {
        term: {"won": _policy(found.ranked[0]), "lost": [_policy(p) for p in found.losers]}
        for term, found in contests.items()
        if found.ranked
    }


def _policy(policy: Policy) -> Explained:
    scope = policy.scope
    named = {
        "sku": scope.sku,
        "category": "/".join(scope.category) or None,
        "segment": scope.segment,
        "location": scope.location,
        "location_group": scope.location_group,
        "country": scope.country,
        "channel": scope.channel,
    }
    return {
        "policy_id": policy.policy_id,
        "value": policy.value,
        "scope": {name: value for name, value in named.items() if value is not None},
    }
