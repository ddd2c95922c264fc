"""Builders of what the formula is made from."""

from collections.abc import Sequence
from datetime import UTC, datetime

from services.availability.domain.figures import Figure, figures_of
from services.availability.domain.levels import Level
from services.availability.domain.plans import Plan, plan_for
from services.availability.domain.reference import Channel, Location, Reference
from shared.stock.policies import Place, Policy, Product, Scope, Term

NOON = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)


def a_level(sellable: int, *, reserved: int = 0, allocated: int = 0, **more: object) -> Level:
    return Level(
        version=1,
        sellable=sellable,
        reserved=reserved,
        allocated=allocated,
        suspended=bool(more.get("suspended", False)),
    )


def a_channel(channel: str = "web", *pool: str, **more: object) -> Channel:
    values: dict[str, object] = {"number": 1, "pool": pool or ("A", "B")}
    return Channel(channel=channel, **(values | more))  # type: ignore[arg-type]  # a builder: the values check themselves


def a_policy(term: Term, value: int, **scope: object) -> Policy:
    return Policy(
        policy_id=f"{term}-{value}",
        term=term,
        value=value,
        scope=Scope(**scope),  # type: ignore[arg-type]  # a builder hands on what it was given
    )


def a_plan(
    *channels: Channel,
    policies: Sequence[Policy] = (),
    locations: Sequence[Location] = (),
    sku: str = "S",
    moment: datetime = NOON,
    **product: object,
) -> Plan:
    reference = Reference(
        version=1,
        locations={known.place.location: [known] for known in locations},
        channels={known.channel: [known] for known in channels or (a_channel(),)},
        policies=policies,
    )
    asked = Product(sku=sku, **product)  # type: ignore[arg-type]  # a builder: the values check themselves
    return plan_for(reference, asked, (), moment)


def a_location(name: str, **more: object) -> Location:
    place = Place(location=name, **_place(more))  # type: ignore[arg-type]  # a builder: the values check themselves
    return Location(place=place, **more)  # type: ignore[arg-type]  # a builder: the values check themselves


def figures(plan: Plan, unsourced: int = 0, **levels: Level) -> dict[str, Figure]:
    return {figure.channel: figure for figure in figures_of(levels, unsourced, plan)}


def _place(values: dict[str, object]) -> dict[str, object]:
    return {name: values.pop(name) for name in ("groups", "country") if name in values}
