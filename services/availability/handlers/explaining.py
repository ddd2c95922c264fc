"""Why it is that many: every term of a figure, with the policies that won and lost."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.availability.domain.figures import Figure, figures_of
from services.availability.domain.levels import Level
from services.availability.domain.plans import ChannelPlan, PlacePlan, offered
from services.availability.handlers.planning import Plans, load
from services.availability.handlers.translating import reference_of
from services.availability.repository import lines, reading, reference, stock
from services.availability.repository.reading import Inputs
from shared.postgres.connecting import Pool
from shared.stock.policies import Contest, Policy, Term

Explained = dict[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A past moment, and the ledger's books of the SKU then."""

    at: datetime
    levels: Mapping[str, Level]
    unsourced: int = 0


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
    return {
        "sku": sku,
        "version": inputs.version,
        "policy_version": opened.policy_version,
        "at": opened.at.isoformat(),
        "dated": [{"requested_for": at, "units": units} for at, units in dated],
        "channels": _channels(sku, inputs, plans, opened.at, channel, location),
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
    plans = Plans(reference_of(records, numbers, version=0), told.at)
    inputs = Inputs(version=0, unsourced=told.unsourced, levels=dict(told.levels), facts=facts)
    return {
        "sku": sku,
        "at": told.at.isoformat(),
        "channels": _channels(sku, inputs, plans, told.at, channel, location),
    }


def _channels(
    sku: str,
    inputs: Inputs,
    plans: Plans,
    moment: datetime,
    channel: str | None,
    location: str | None,
) -> Explained:
    plan = plans.of(sku, inputs.facts, moment)
    figures = figures_of(inputs.levels, inputs.unsourced, plan)
    return {
        figure.channel: _channel(figure, part, inputs, location)
        for figure, part in zip(figures, plan.channels, strict=True)
        if channel in (None, figure.channel)
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
