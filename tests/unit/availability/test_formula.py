"""The formula against the design's own examples, and the peers' bugs by their names."""

import pytest

from services.availability.domain.figures import figures_of
from services.availability.domain.levels import Level, next_version
from services.availability.domain.plans import Hindrance, offered
from shared.stock.policies import Term
from tests.unit.availability.builders import (
    a_channel,
    a_level,
    a_location,
    a_plan,
    a_policy,
    figures,
)


@pytest.mark.parametrize(
    ("sellable", "reserved", "allocated", "free", "short"),
    [
        pytest.param(10, 2, 3, 5, 0, id="holds_that_the_book_serves"),
        pytest.param(0, 0, 2, -2, 2, id="two_orders_that_nothing_serves"),
        pytest.param(1, 1, 2, -2, 2, id="one_of_three_holds_is_served"),
        pytest.param(-2, 0, 0, -2, 0, id="a_book_made_negative_by_sales_owes_nobody"),
        pytest.param(-2, 0, 1, -3, 1, id="never_more_short_than_was_held"),
    ],
)
def test_free_and_short(
    sellable: int, reserved: int, allocated: int, free: int, short: int
) -> None:
    level = a_level(sellable, reserved=reserved, allocated=allocated)

    assert (level.free, level.short) == (free, short)


def test_negative_source_ignored() -> None:
    """magento/inventory #3346: two units are owed at A, five lie at B, three may be sold."""
    figure = figures(a_plan(), A=a_level(0, allocated=2), B=a_level(5))["web"]

    assert figure.available_to_sell == 3


def test_a_book_made_negative_by_till_sales_counts_nothing() -> None:
    figure = figures(a_plan(), A=a_level(-2), B=a_level(5))["web"]

    assert figure.available_to_sell == 5


def test_overlapping_pools() -> None:
    """magento/inventory #2727: a place in two pools counts in each, whole, and only there."""
    plan = a_plan(a_channel("one", "A", "B"), a_channel("two", "B", "C"))
    found = figures(plan, A=a_level(1), B=a_level(2), C=a_level(4))

    assert (found["one"].available_to_sell, found["two"].available_to_sell) == (3, 6)


def test_aggregate_versus_first_location() -> None:
    """Medusa #14987: the sum of the pool, not what its first location has."""
    figure = figures(a_plan(), A=a_level(0), B=a_level(4))["web"]

    assert figure.available_to_sell == 4


def test_only_this_channels_locations() -> None:
    """Vendure #2356: what lies outside the pool is not offered, nor is what is owed there."""
    plan = a_plan(a_channel("web", "A"))
    figure = figures(plan, A=a_level(2), B=a_level(9), C=a_level(0, allocated=5))["web"]

    assert figure.available_to_sell == 2


def test_equal_quantities_in_two_warehouses() -> None:
    """A SUM(DISTINCT) counts 5 and 5 as 5."""
    figure = figures(a_plan(), A=a_level(5), B=a_level(5))["web"]

    assert figure.available_to_sell == 10


def test_unsourced_lines_are_taken_from_every_pool() -> None:
    figure = figures(a_plan(), 3, A=a_level(5))["web"]

    assert (figure.terms.pool, figure.available_to_sell) == (2, 2)


def test_nothing_is_clamped_before_the_pool() -> None:
    figure = figures(a_plan(), 7, A=a_level(5))["web"]

    assert (figure.terms.pool, figure.available_to_sell) == (-2, 0)


@pytest.mark.parametrize(
    ("location", "kept", "silence", "offered"),
    [
        pytest.param(0, 0, 0, 10, id="none"),
        pytest.param(3, 0, 0, 7, id="location_buffer"),
        pytest.param(3, 4, 0, 6, id="kept_for_store_is_larger"),
        pytest.param(3, 4, 5, 5, id="silence_is_largest_and_they_never_add_up"),
        pytest.param(20, 4, 5, 0, id="more_than_there_is"),
    ],
)
def test_one_risk_one_buffer(location: int, kept: int, silence: int, offered: int) -> None:
    plan = a_plan(
        policies=[
            a_policy(Term.LOCATION_BUFFER, location),
            a_policy(Term.KEPT_FOR_STORE, kept),
            a_policy(Term.SILENCE_BUFFER, silence),
        ]
    )

    assert figures(plan, A=a_level(10))["web"].terms.offered == offered


def test_short_dated_units_are_out_besides_the_buffer_and_the_own_till_sells_them() -> None:
    plan = a_plan(
        a_channel("till", "A", own_till="A", methods=("in_store",)),
        a_channel("web", "A"),
        policies=[a_policy(Term.SHORT_DATED, 4), a_policy(Term.LOCATION_BUFFER, 3)],
    )
    found = figures(plan, A=a_level(10))

    assert (found["till"].terms.offered, found["web"].terms.offered) == (10, 3)


def test_the_own_till_sells_what_is_kept_from_others() -> None:
    till = a_channel("till", "A", own_till="A", methods=("in_store",))
    plan = a_plan(
        till,
        a_channel("web", "A"),
        policies=[a_policy(Term.KEPT_FOR_STORE, 4), a_policy(Term.SUSPENDED, 1, location="A")],
    )
    found = figures(plan, A=a_level(5, suspended=True))

    assert (found["till"].available_to_sell, found["web"].available_to_sell) == (5, 0)


@pytest.mark.parametrize(
    ("term", "hindrance"),
    [
        (Term.CLOSED, Hindrance.CLOSED),
        (Term.EXCLUDED, Hindrance.EXCLUDED),
        (Term.SUSPENDED, Hindrance.SUSPENDED),
    ],
)
def test_a_switch_takes_a_place_out_of_the_offer_but_not_what_it_owes(
    term: Term, hindrance: Hindrance
) -> None:
    plan = a_plan(policies=[a_policy(term, 1, location="A")])
    figure = figures(plan, A=a_level(1, allocated=3), B=a_level(5))["web"]

    assert plan.channels[0].places["A"].hindrance is hindrance
    assert (figure.terms.offered, figure.terms.short, figure.available_to_sell) == (5, 2, 3)


def test_hindrances_have_one_precedence() -> None:
    switches = [a_policy(term, 1) for term in (Term.SUSPENDED, Term.EXCLUDED, Term.CLOSED)]
    ships_nothing = a_location("A", capabilities=frozenset({"collect"}))
    found: list[Hindrance | None] = []
    for count in range(len(switches) + 1):
        plan = a_plan(
            a_channel("web", "A", methods=("home",)),
            policies=switches[:count],
            locations=[ships_nothing],
        )
        found.append(plan.channels[0].places["A"].hindrance)

    assert found == list(reversed(Hindrance))


def test_a_method_counts_the_places_that_are_able_to_serve_it() -> None:
    plan = a_plan(
        a_channel("web", "A", "B", methods=("home", "collect"), shows_locations=True),
        locations=[
            a_location("A", capabilities=frozenset({"ship"})),
            a_location("B", capabilities=frozenset({"ship", "collect"})),
        ],
    )
    figure = figures(plan, A=a_level(5), B=a_level(3))["web"]

    assert figure.by_method == {"home": 8, "collect": 3}
    assert figure.by_location == {"A": 5, "B": 3}


def test_locations_never_add_up_to_more_than_the_figure() -> None:
    plan = a_plan(
        a_channel("web", "A", "B", shows_locations=True),
        policies=[a_policy(Term.CHANNEL_BUFFER, 4)],
    )
    figure = figures(plan, A=a_level(5), B=a_level(5), C=a_level(9))["web"]

    assert figure.available_to_sell == 6
    assert figure.by_location == {"A": 5, "B": 1}


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param({}, 10, id="nothing_set"),
        pytest.param({Term.CHANNEL_BUFFER: 3}, 7, id="channel_buffer"),
        pytest.param({Term.SHARE_PERMILLE: 500}, 5, id="share"),
        pytest.param({Term.CHANNEL_BUFFER: 3, Term.SHARE_PERMILLE: 500}, 3, id="of_the_rest"),
        pytest.param({Term.MAX_LISTED: 4}, 4, id="max_listed"),
        pytest.param({Term.END_WHEN: 9}, 10, id="above_the_end"),
        pytest.param({Term.END_WHEN: 10}, 0, id="at_the_end"),
        pytest.param({Term.MAX_LISTED: 4, Term.END_WHEN: 4}, 0, id="the_end_after_the_cap"),
        pytest.param({Term.MAX_LISTED: 0}, 0, id="none_listed"),
        pytest.param({Term.CHANNEL_BUFFER: 99}, 0, id="a_buffer_above_the_pool"),
    ],
)
def test_terms_of_the_channel(policies: dict[Term, int], expected: int) -> None:
    plan = a_plan(policies=[a_policy(term, value) for term, value in policies.items()])

    assert figures(plan, A=a_level(10))["web"].available_to_sell == expected


@pytest.mark.parametrize(
    ("pool", "permille", "shares"), [(7, 500, (4, 3)), (1, 500, (1, 0)), (10, 300, (3, 3))]
)
def test_shares_of_one_pool_as_in_the_design(
    pool: int, permille: int, shares: tuple[int, int]
) -> None:
    plan = a_plan(
        a_channel("second", priority=2),
        a_channel("first", priority=1),
        policies=[a_policy(Term.SHARE_PERMILLE, permille)],
    )
    found = figures(plan, A=a_level(pool))

    assert (found["first"].share, found["second"].share) == shares


def test_a_closed_sku_is_shown_nowhere() -> None:
    plan = a_plan()
    closed = type(plan)(channels=plan.channels, is_closed=True)
    (figure,) = figures_of({"A": a_level(5)}, 0, closed)

    assert (figure.available_to_sell, figure.is_closed) == (0, True)


def test_the_lean_loop_offers_what_the_rule_says() -> None:
    plan = a_plan(policies=[a_policy(Term.LOCATION_BUFFER, 2)])
    part = plan.channels[0]
    for level in (a_level(5), a_level(1), a_level(9, suspended=True), a_level(-3, allocated=1)):
        (figure,) = figures_of({"A": level}, 0, plan)

        assert figure.terms.offered == offered(part.places["A"], level)
        assert figure.terms.short == level.short


@pytest.mark.parametrize(
    ("version", "now_us", "expected"),
    [
        pytest.param(5, 1_000, 1_000, id="the_moment"),
        pytest.param(1_000, 1_000, 1_001, id="twice_in_a_microsecond"),
        pytest.param(2_000, 1_000, 2_001, id="a_clock_that_went_back"),
    ],
)
def test_versions_rise_and_are_above_what_a_restored_backup_forgot(
    version: int, now_us: int, expected: int
) -> None:
    assert next_version(version, now_us) == expected


def test_a_level_packs_as_the_tuple_it_is() -> None:
    assert Level(1, 2) == (1, 2, 0, 0, False)
