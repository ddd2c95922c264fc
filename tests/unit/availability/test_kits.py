"""Kits: the minimum over the parts at each location, and only then the sum."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import pytest
from pydantic import ValidationError

from services.availability.domain.facts import Facts, Life, Part
from services.availability.domain.figures import figures_of
from services.availability.domain.kits import Component, made_up
from services.availability.domain.levels import Level
from services.availability.domain.plans import Plan
from services.availability.repository import packing
from shared.contracts.reference import Product
from shared.stock.policies import Term
from tests.unit.availability.builders import (
    NOON,
    a_channel,
    a_level,
    a_location,
    a_plan,
    a_policy,
    figures,
)

SEEDS = range(300)


def a_part(
    sku: str, quantity: int = 1, *, plan: Plan | None = None, unsourced: int = 0, **at: int | Level
) -> Component:
    levels = {
        name: units if isinstance(units, Level) else a_level(units) for name, units in at.items()
    }
    return Component(sku, quantity, levels, unsourced, plan or a_plan(sku=sku))


def kits(
    *parts: Component, plan: Plan | None = None, unsourced: int = 0, **own: Level
) -> dict[str, int]:
    """channel → figure of the kit"""
    plan = plan or a_plan(sku="KIT")
    found = figures_of(own, unsourced, plan, made_up(parts, plan))
    return {figure.channel: figure.available_to_sell for figure in found}


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ([a_part("P", A=5), a_part("Q", A=3)], 3),
        ([a_part("P", 2, A=5)], 2),
        ([a_part("P", A=5), a_part("Q", B=5)], 0),
        ([a_part("P", A=5, B=1), a_part("Q", A=2, B=9)], 3),
        ([a_part("P", 2, A=1, B=1)], 0),
        ([a_part("P", A=5), a_part("Q")], 0),
        ([a_part("P", A=-3, B=4), a_part("Q", A=9, B=9)], 4),
        ([a_part("P", A=a_level(5, reserved=2, allocated=1))], 2),
        ([a_part("P", A=a_level(1, allocated=3), B=5)], 3),
        ([a_part("P", A=5, unsourced=2)], 3),
        ([a_part("P", A=5, unsourced=9)], 0),
        ([a_part("P", A=9, unsourced=2), a_part("Q", A=4)], 4),
        ([a_part("P", A=a_level(5, suspended=True), B=2)], 2),
        ([a_part("P", A=5)._replace(is_recalled=True)], 0),
    ],
    ids=[
        "the scarcer part binds", "whole kits only", "parts that lie apart make none",
        "the minimum at each place and then the sum", "no kit across two places",
        "a part that nobody has", "a negative book counts nothing", "what is held is not there",
        "what another place owes is served first", "what waits for a place is served first",
        "more owed than there is", "owed units of a part that does not bind",
        "a suspended part", "a recalled part",
    ],
)  # fmt: skip
def test_a_kit_is_what_its_parts_make_up(parts: Sequence[Component], expected: int) -> None:
    assert kits(*parts) == {"web": expected}


def test_a_part_brings_the_terms_of_its_places_and_the_kit_those_of_its_channel() -> None:
    policies = [
        a_policy(Term.LOCATION_BUFFER, 2, location="A"),
        a_policy(Term.CHANNEL_BUFFER, 1),
        a_policy(Term.EXCLUDED, 1, location="B"),
    ]
    part = a_part("P", A=6, B=50, plan=a_plan(sku="P", policies=policies))

    assert kits(part, plan=a_plan(sku="KIT", policies=policies)) == {"web": 3}


def test_what_limits_the_part_in_its_channel_alone_does_not_limit_the_kit() -> None:
    limits = [a_policy(Term.MAX_LISTED, 1), a_policy(Term.CHANNEL_BUFFER, 4)]

    assert kits(a_part("P", A=6, plan=a_plan(sku="P", policies=limits))) == {"web": 6}


def test_kits_that_stand_made_up_add_to_those_that_can_be() -> None:
    part = a_part("P", A=3)

    assert kits(part, A=a_level(2), B=a_level(1)) == {"web": 6}
    assert kits(part, A=a_level(2), B=a_level(0, allocated=1)) == {"web": 4}
    assert kits(part, unsourced=2) == {"web": 1}


def test_nothing_is_made_up_where_the_kit_itself_is_not_offered() -> None:
    plan = a_plan(sku="KIT", policies=[a_policy(Term.CLOSED, 1, location="A", sku="KIT")])

    assert kits(a_part("P", A=6, B=2), plan=plan) == {"web": 2}


def test_one_buffer_a_risk_the_places_buffer_is_taken_from_the_parts_and_not_again() -> None:
    policies = [a_policy(Term.LOCATION_BUFFER, 2)]
    part = a_part("P", A=6, plan=a_plan(sku="P", policies=policies))

    assert kits(part, plan=a_plan(sku="KIT", policies=policies)) == {"web": 4}


def test_places_and_methods_of_a_kit_are_those_where_it_is_made_up() -> None:
    channel = a_channel("web", "A", "B", methods=("home", "collect"), shows_locations=True)
    places = [a_location("A", capabilities=frozenset({"ship"})), a_location("B")]
    plan = a_plan(channel, locations=places)
    made = made_up([a_part("P", A=3, B=2, plan=plan)], plan)

    (figure,) = figures_of({}, 0, plan, made)

    assert figure.by_location == {"A": 3, "B": 2}
    assert figure.by_method == {"home": 5, "collect": 2}


def test_what_is_no_kit_has_the_figure_that_it_had() -> None:
    plan = a_plan()

    assert figures(plan, A=a_level(3))["web"].available_to_sell == 3


@dataclass(frozen=True, slots=True)
class World:
    """Stock of parts at places, and what is owed of each."""

    each: dict[str, int]
    free: dict[tuple[str, str], int]
    owed: dict[str, int]
    pool: list[str]
    buffer: int


def a_world(chance: random.Random) -> World:
    pool = chance.sample(["A", "B", "C", "D"], chance.randrange(1, 5))
    each = {f"P{n}": chance.randrange(1, 4) for n in range(chance.randrange(1, 4))}
    return World(
        each=each,
        free={(p, at): chance.randrange(-3, 12) for p in each for at in "ABCD"},
        owed={p: chance.choice([0, 0, 1, 5]) for p in each},
        pool=pool,
        buffer=chance.choice([0, 0, 1, 2]),
    )


def made_one_by_one(world: World) -> int:
    """Serve what is owed unit by unit, then put kit after kit together, wherever one can be."""
    shelf = {
        (part, at): max(0, world.free[part, at] - world.buffer)
        for part in world.each for at in world.pool
    }  # fmt: skip
    for part, owed in world.owed.items():
        for _ in range(owed):
            place = next((at for at in world.pool if shelf[part, at] > 0), None)
            if place is not None:
                shelf[part, place] -= 1
    count = 0
    for at in world.pool:
        while all(shelf[part, at] >= each for part, each in world.each.items()):
            for part, each in world.each.items():
                shelf[part, at] -= each
            count += 1
    return count


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kits_figure_is_how_many_can_be_put_together_one_by_one(seed: int) -> None:
    world = a_world(random.Random(seed))
    policies = [a_policy(Term.LOCATION_BUFFER, world.buffer)]
    plan = a_plan(a_channel("web", *world.pool), policies=policies)
    parts = [
        Component(
            part, each, {at: a_level(world.free[part, at]) for at in "ABCD"}, world.owed[part], plan
        )
        for part, each in world.each.items()
    ]

    assert kits(*parts, plan=plan) == {"web": made_one_by_one(world)}, f"seed {seed}"


def test_the_parts_of_a_kit_are_kept_with_its_records() -> None:
    life = Life(revision=2, begins=NOON, kit=(Part("P", 2), Part("Q", 1)))
    facts = Facts().with_life(Life(revision=1)).with_life(life)

    kept = packing.unpack_facts(packing.pack_facts(facts))

    assert kept == facts
    assert kept.parts() == {"P", "Q"}
    assert kept.life_at(NOON).kit == life.kit


@pytest.mark.parametrize("parts", [["KIT"], ["P", "P"]], ids=["itself", "a part twice"])
def test_a_kit_names_each_part_once_and_never_itself(parts: list[str]) -> None:
    kit = tuple({"sku": part, "quantity": 1} for part in parts)

    with pytest.raises(ValidationError, match="names each of its parts once"):
        Product.model_validate({"kind": "product", "sku": "KIT", "kit": kit})
