"""Random histories with duplicates and disorder against an independent model of the formula."""

import random
from dataclasses import dataclass, field

import pytest

from services.availability.domain.levels import Level, fold_level
from services.availability.domain.plans import Plan
from services.availability.domain.views import Stock, View, recompute
from services.availability.repository import packing
from shared.stock.policies import Policy, Term
from tests.unit.availability.builders import a_channel, a_level, a_plan, a_policy

SEEDS = range(200)
LOCATIONS = [f"L{n}" for n in range(6)]
QUANTITY_TERMS = (
    Term.LOCATION_BUFFER, Term.KEPT_FOR_STORE, Term.CHANNEL_BUFFER, Term.MAX_LISTED, Term.END_WHEN,
)  # fmt: skip
SWITCHES = (Term.CLOSED, Term.EXCLUDED)


@dataclass(slots=True)
class History:
    """What was told, in the order of its versions; and who may sell from where."""

    told: list[tuple[str, Level]] = field(default_factory=list)
    pools: dict[str, list[str]] = field(default_factory=dict)
    policies: list[Policy] = field(default_factory=list)
    unsourced: int = 0

    def plan(self) -> Plan:
        channels = [
            a_channel(name, *pool, number=n) for n, (name, pool) in enumerate(self.pools.items())
        ]
        return a_plan(*channels, policies=self.policies)


def a_history(seed: int) -> History:
    chance = random.Random(seed)
    history = History(unsourced=chance.choice([0, 0, 0, 2]))
    for version in range(1, chance.randrange(2, 40)):
        level = a_level(
            chance.randrange(-4, 15), reserved=chance.randrange(3), allocated=chance.randrange(4)
        )
        history.told.append((chance.choice(LOCATIONS), level._replace(version=version)))
    for name in ("web", "shop", "market"):
        history.pools[name] = chance.sample(LOCATIONS, chance.randrange(1, len(LOCATIONS)))
    for term in chance.sample(QUANTITY_TERMS, 2):
        history.policies.append(a_policy(term, chance.randrange(4)))
    history.policies.append(a_policy(chance.choice(SWITCHES), 1, location=chance.choice(LOCATIONS)))
    return history


def kept(history: History, chance: random.Random) -> tuple[Stock, View]:
    """The view as the service keeps it: one level after another, some twice, none in order."""
    told = [*history.told, *chance.sample(history.told, len(history.told) // 3)]
    chance.shuffle(told)
    stock = Stock(sku_id=1, sku="S", partition=0, version=0, unsourced=history.unsourced)
    plan = history.plan()
    view = recompute(stock, plan, 1)
    for location, level in told:
        fold_level(stock.levels, location, level)
        view = recompute(stock, plan, 1)
        stock.version, stock.shown = view.version, view.shown
    return stock, view


def modelled(history: History) -> dict[str, int]:
    """The design's formula, written down once more in the plainest way."""
    latest: dict[str, Level] = {}
    for location, level in sorted(history.told, key=lambda told: told[1].version):
        latest[location] = level
    value = {policy.term: policy.value for policy in history.policies}
    shut = {p.scope.location for p in history.policies if p.term in SWITCHES}
    buffer = max(value.get(Term.LOCATION_BUFFER, 0), value.get(Term.KEPT_FOR_STORE, 0))
    figures: dict[str, int] = {}
    for channel, pool in history.pools.items():
        total = -history.unsourced
        for location in pool:
            if location in latest:
                level = latest[location]
                held = level.reserved + level.allocated
                free = level.sellable - held
                total += 0 if location in shut else max(0, free - buffer)
                total -= min(held, max(0, -free))
        figure = max(0, total - value.get(Term.CHANNEL_BUFFER, 0))
        figure = min(figure, value.get(Term.MAX_LISTED, figure))
        figures[channel] = 0 if figure <= value.get(Term.END_WHEN, 0) else figure
    return figures


@pytest.mark.parametrize("seed", SEEDS)
def test_a_kept_view_is_the_model_of_its_latest_levels(seed: int) -> None:
    history = a_history(seed)

    _, view = kept(history, random.Random(seed))

    found = {channel: shown["available_to_sell"] for channel, shown in view.shown.items()}
    assert found == modelled(history), f"seed {seed}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_view_rebuilt_from_what_is_stored_is_the_view_that_was_kept(seed: int) -> None:
    history = a_history(seed)
    plan = history.plan()
    stock, view = kept(history, random.Random(seed))
    packed = packing.pack_view(view, stock.levels, plan, policies=1)

    restored = Stock(
        sku_id=1, sku="S", partition=0, version=stock.version, unsourced=history.unsourced,
        levels=packing.unpack_levels(packing.pack_levels(stock.levels)),
        shown=packing.unpack_shown(packed),
    )  # fmt: skip
    rebuilt = recompute(restored, plan, 1)

    assert rebuilt.changed == ()
    assert rebuilt.shown == view.shown
    again = packing.pack_view(rebuilt, restored.levels, plan, policies=1)
    assert again == packed


@pytest.mark.parametrize("seed", SEEDS)
def test_any_order_gives_the_same_figures_and_versions_only_rise(seed: int) -> None:
    history = a_history(seed)

    _, one = kept(history, random.Random(seed))
    _, other = kept(history, random.Random(seed + 1))

    assert [f[2:] for f in one.figures] == [f[2:] for f in other.figures]
    for shown in one.shown.values():
        assert 0 < shown["version"] <= one.version
