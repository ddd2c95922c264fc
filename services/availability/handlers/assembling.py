"""Kits in a transaction: their parts learnt, read and put together; stale kits noted."""

from collections.abc import Collection, Iterable, Mapping
from datetime import datetime

from services.availability.domain.facts import NOTHING_KNOWN, Facts, Life
from services.availability.domain.figures import Offers
from services.availability.domain.kits import Component, made_up
from services.availability.domain.plans import Plan
from services.availability.handlers.planning import Plans
from services.availability.repository import kits
from services.availability.repository.reading import Inputs
from services.availability.repository.stock import Row, Rows
from shared.postgres.connecting import Connection

Parts = Mapping[str, Inputs]

UNKNOWN = Inputs(0, 0, {}, NOTHING_KNOWN)


def parts_told(lives: Mapping[str, Iterable[Life]]) -> set[str]:
    """The SKUs that these product records name as parts: a batch locks them with the kits."""
    return {part.sku for told in lives.values() for life in told for part in life.kit}


async def learn_kits(connection: Connection, rows: Rows, facts: Mapping[str, Facts]) -> set[str]:
    """Keep what the changed facts say of kits; returns the parts that were none before.

    Their rows are marked and, being touched, get a new version: whoever had remembered one
    without the mark is refused by that, and sees the mark when it locks the row.
    """
    changed = {
        sku: parts
        for sku, found in facts.items()
        if (parts := found.parts()) or rows[sku].stock.is_in_kits
    }
    if not changed:
        return set()
    await kits.keep(connection, changed)
    named = changed.keys() | {part for parts in changed.values() for part in parts}
    fresh = {sku for sku in named if sku in rows and not rows[sku].stock.is_in_kits}
    await kits.mark(connection, [rows[sku].stock.sku_id for sku in fresh])
    for sku in fresh:
        rows[sku].stock.is_in_kits = True
    return fresh


async def note_stale(connection: Connection, rows: Rows, touched: Collection[str]) -> None:
    """Have the kits computed again whose parts this transaction changes."""
    if parts := [sku for sku in touched if rows[sku].stock.is_in_kits]:
        await kits.note_stale(connection, parts)


async def parts_of(connection: Connection, rows: Iterable[Row], known: Rows) -> Parts:
    """The parts of the kits among `rows`: as this transaction has them in `known`, locked, else as
    they are committed now. Call it with the kits' rows locked, in a statement after that.
    """
    wanted: set[str] = set()
    for row in rows:
        if row.stock.is_in_kits:
            wanted |= row.stock.facts.parts()
    if not wanted:
        return {}
    found = await kits.parts(connection, sorted(wanted - known.keys()))
    for sku in wanted & known.keys():
        held = known[sku].stock
        found[sku] = Inputs(held.version, held.unsourced, held.levels, held.facts)
    return found


def components_of(facts: Facts, parts: Parts, plans: Plans, moment: datetime) -> list[Component]:
    """What the SKU is made of at this moment; nothing for what is no kit."""
    components: list[Component] = []
    for part in facts.life_at(moment).kit:
        held = parts.get(part.sku, UNKNOWN)
        components.append(
            Component(
                sku=part.sku,
                quantity=part.quantity,
                levels=held.levels,
                unsourced=held.unsourced,
                plan=plans.of(part.sku, held.facts, moment),
                is_recalled=held.facts.life_at(moment).is_recalled,
            )
        )
    return components


def made_for(
    facts: Facts, parts: Parts, plans: Plans, plan: Plan, moment: datetime
) -> list[Offers] | None:
    """What can be made up of the SKU by channel; None for what is no kit at this moment."""
    components = components_of(facts, parts, plans, moment)
    return made_up(components, plan) if components else None
