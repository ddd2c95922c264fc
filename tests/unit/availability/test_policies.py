"""Policies: one precedence, walked rank by rank; time; what is refused."""

from datetime import timedelta
from itertools import pairwise

import pytest

from services.availability.domain.facts import Facts, Life
from shared.stock.policies import Place, Policy, Product, Scope, Term, accepts, contest, rivals
from tests.unit.availability.builders import (
    NOON,
    a_channel,
    a_level,
    a_location,
    a_plan,
    a_policy,
    figures,
)

# Every rank there is, highest first.
PRODUCTS: list[dict[str, object]] = [
    {"sku": "S"},
    {"category": ("food", "jam", "plum")},
    {"category": ("food", "jam")},
    {"category": ("food",)},
    {"segment": "A"},
    {},
]
PLACES: list[dict[str, object]] = [
    {"location": "L"},
    {"location_group": "north"},
    {"country": "FR"},
    {},
]
CHANNELS: list[dict[str, object]] = [{"channel": "web"}, {}]
RANKED = [
    a_policy(Term.LOCATION_BUFFER, 1, **product, **place, **channel)
    for product in PRODUCTS
    for place in PLACES
    for channel in CHANNELS
]
PRODUCT = Product(sku="S", category=("food", "jam", "plum"), segment="A")
PLACE = Place(location="L", groups=frozenset({"north"}), country="FR")


@pytest.mark.parametrize(("higher", "lower"), list(pairwise(RANKED)))
def test_each_rank_wins_over_the_next(higher: Policy, lower: Policy) -> None:
    found = contest([lower, higher], PRODUCT, PLACE, "web")

    assert found.winner is higher
    assert found.losers == (lower,)


@pytest.mark.parametrize(
    "scope",
    [
        {"sku": "T"},
        {"category": ("food", "honey")},
        {"category": ("food", "jam", "plum", "dark")},
        {"segment": "B"},
        {"location": "M"},
        {"location_group": "south"},
        {"country": "BE"},
        {"channel": "shop"},
    ],
)
def test_a_policy_of_something_else_does_not_speak(scope: dict[str, object]) -> None:
    found = contest([a_policy(Term.LOCATION_BUFFER, 1, **scope)], PRODUCT, PLACE, "web")

    assert found.winner is None


def test_a_policy_of_a_place_does_not_speak_of_a_whole_channel() -> None:
    named = [a_policy(Term.CHANNEL_BUFFER, 1, **scope) for scope in PLACES]

    assert contest(named, PRODUCT, None, "web").ranked == (named[-1],)


def test_equal_ranks_are_rivals_only_at_a_common_time() -> None:
    scope = Scope(channel="web")
    until = Policy(policy_id="a", term=Term.MAX_LISTED, value=1, scope=scope, ends=NOON)
    since = Policy(policy_id="b", term=Term.MAX_LISTED, value=2, scope=scope, begins=NOON)
    always = Policy(policy_id="c", term=Term.MAX_LISTED, value=3, scope=scope)

    assert rivals(until, [until, since]) == []
    assert rivals(always, [until, since, always]) == [until, since]


def test_rivals_that_came_in_all_the_same_are_decided_by_their_ids() -> None:
    one, two = a_policy(Term.MAX_LISTED, 1), a_policy(Term.MAX_LISTED, 2)

    assert contest([two, one], PRODUCT, None, "web").winner is one


@pytest.mark.parametrize(
    ("term", "value", "fits"),
    [
        (Term.SHARE_PERMILLE, 1000, True),
        (Term.SHARE_PERMILLE, 1001, False),
        (Term.LOCATION_BUFFER, -1, False),
        (Term.LOCATION_BUFFER, 0, True),
        (Term.CLOSED, 2, False),
        (Term.MAX_LISTED, 10**9 + 1, False),
    ],
)
def test_a_value_fits_its_term(term: Term, value: int, *, fits: bool) -> None:
    assert accepts(term, value) is fits


@pytest.mark.parametrize(
    ("hours", "expected"),
    [(-1, 10), (0, 4), (1, 4), (2, 10)],
    ids=["before", "from_the_first_moment", "inside", "not_at_the_end"],
)
def test_a_policy_holds_from_its_beginning_until_before_its_end(hours: int, expected: int) -> None:
    dated = Policy(
        policy_id="p",
        term=Term.MAX_LISTED,
        value=4,
        scope=Scope(),
        begins=NOON,
        ends=NOON + timedelta(hours=2),
    )
    plan = a_plan(policies=[dated], moment=NOON + timedelta(hours=hours))

    assert figures(plan, A=a_level(10))["web"].available_to_sell == expected


def test_a_location_whose_records_have_ended_offers_nothing() -> None:
    gone = a_location("A", ends=NOON)

    assert figures(a_plan(locations=[gone]), A=a_level(5))["web"].available_to_sell == 0


def test_a_channel_that_has_ended_is_closed() -> None:
    figure = figures(a_plan(a_channel(ends=NOON)), A=a_level(5))["web"]

    assert (figure.available_to_sell, figure.is_closed) == (0, True)


def test_of_two_product_records_the_one_that_began_last_holds() -> None:
    old = Life(category=("old",))
    new = Life(category=("new",), begins=NOON)
    facts = Facts().with_life(old).with_life(new)

    assert facts.life_at(NOON - timedelta(seconds=1)).category == ("old",)
    assert facts.life_at(NOON).category == ("new",)


def test_an_older_revision_of_a_product_changes_nothing() -> None:
    facts = Facts().with_life(Life(revision=2, segment="new"))

    assert facts.with_life(Life(revision=1, segment="old")) == facts


@pytest.mark.parametrize(
    ("life", "closed"),
    [
        (Life(), False),
        (Life(is_recalled=True), True),
        (Life(sold_from=NOON + timedelta(days=1)), True),
        (Life(sold_from=NOON), False),
        (Life(sold_until=NOON), True),
        (Life(sold_until=NOON + timedelta(days=1)), False),
    ],
)
def test_a_sku_is_sold_between_its_days_unless_recalled(life: Life, *, closed: bool) -> None:
    assert life.is_closed(NOON) is closed
