"""How many units are held back: quantiles, rates, lags, the buffer's part, and no flicker."""

import math

import pytest

from services.publication.domain.holding_back import (
    NO_DEMAND,
    Before,
    Demand,
    HoldBack,
    measured_lag,
    poisson_quantile,
    rate_per_second,
    units_held_back,
)

HOLD = HoldBack(lag_seconds=5.0, lag_seconds_max=60.0, memory_seconds=600.0)


@pytest.mark.parametrize(
    ("mean", "probability", "quantile"),
    [
        # R: qpois(p, mean)
        pytest.param(0.0, 0.95, 0, id="nothing_sold"),
        pytest.param(0.05, 0.95, 0, id="a_slow_mover_loses_nothing"),
        pytest.param(0.06, 0.95, 1, id="one_in_seventeen_lags_is_too_often"),
        pytest.param(1.0, 0.95, 3, id="one_a_lag"),
        pytest.param(1.0, 0.99, 4, id="one_a_lag_surer"),
        pytest.param(1.0, 0.5, 1, id="the_median"),
        pytest.param(5.0, 0.95, 9, id="five_a_lag"),
        pytest.param(10.0, 0.95, 15, id="ten_a_lag"),
        pytest.param(100.0, 0.95, 117, id="a_hundred_a_lag"),
        pytest.param(100.0, 0.999, 132, id="a_hundred_a_lag_surer"),
        pytest.param(1e9, 0.95, 537, id="beyond_belief_is_bounded"),
    ],
)
def test_the_quantile_is_that_of_poisson(mean: float, probability: float, quantile: int) -> None:
    assert poisson_quantile(mean, probability) == quantile


def test_the_quantile_ends_however_sure_one_wants_to_be() -> None:
    assert poisson_quantile(500.0, 1 - 1e-15) < 1_000


@pytest.mark.parametrize(
    ("demand", "now", "a_second"),
    [
        pytest.param(NO_DEMAND, 1_000.0, 0.0, id="never_sold"),
        pytest.param(Demand(6.0, 1_000.0), 1_000.0, 0.01, id="six_in_ten_minutes"),
        pytest.param(Demand(6.0, 1_000.0), 1_600.0, 0.01 / math.e, id="ten_minutes_later"),
        pytest.param(Demand(6.0, 1_000.0), 900.0, 0.01, id="a_clock_behind_adds_nothing"),
    ],
)
def test_a_rate_falls_when_demand_stops(demand: Demand, now: float, a_second: float) -> None:
    assert rate_per_second(demand, 600.0, now) == pytest.approx(a_second)


@pytest.mark.parametrize(
    ("lags", "seconds"),
    [
        pytest.param([], 5.0, id="none_measured"),
        pytest.param([30.0] * 19, 5.0, id="too_few_to_say"),
        pytest.param([1.0] * 19 + [30.0], 1.0, id="one_in_twenty_may_be_later"),
        pytest.param([1.0] * 18 + [30.0] * 2, 30.0, id="two_in_twenty_may_not"),
        pytest.param([900.0] * 20, 60.0, id="bounded"),
    ],
)
def test_the_lag_is_what_nearly_all_recent_orders_kept_to(
    lags: list[float], seconds: float
) -> None:
    assert measured_lag(lags, HOLD) == seconds


@pytest.mark.parametrize(
    ("mean", "buffer", "before", "held"),
    [
        pytest.param(0.0, 0, 0, 0, id="nothing_for_nothing"),
        pytest.param(1.0, 0, 0, 3, id="the_quantile"),
        pytest.param(1.0, 2, 0, 1, id="the_buffer_covers_its_part"),
        pytest.param(1.0, 9, 0, 0, id="a_buffer_beyond_it_covers_all"),
        pytest.param(1.0, 0, 1, 3, id="more_at_once"),
        pytest.param(0.9, 0, 3, 3, id="a_little_less_demand_changes_nothing"),
        pytest.param(0.5, 0, 3, 2, id="much_less_demand_gives_back"),
        pytest.param(0.04, 0, 1, 1, id="the_last_unit_waits_as_well"),
        pytest.param(0.03, 0, 1, 0, id="and_comes_back"),
        pytest.param(0.0, 0, 7, 0, id="without_demand_all_comes_back"),
        pytest.param(1.0, 5, 3, 0, id="a_new_buffer_gives_back"),
    ],
)
def test_units_are_held_back_at_once_and_given_back_with_slack(
    mean: float, buffer: int, before: int, held: int
) -> None:
    assert units_held_back(mean, buffer, Before(held=before), 0.95) == held


def test_a_rate_that_wavers_about_a_threshold_changes_nothing() -> None:
    held, seen = 0, []

    for step in range(100):
        held = units_held_back(0.0513 * (1.1 if step % 2 else 0.9), 0, Before(held=held), 0.95)
        seen.append(held)

    assert seen == [0] + [1] * 99


@pytest.mark.parametrize(
    ("before", "held"),
    [
        pytest.param(Before(held=0, is_news=False), 0, id="without_any_news_no_more"),
        pytest.param(Before(held=2, is_news=False), 2, id="without_any_news_as_before"),
        pytest.param(Before(held=3, shown_for_a_lag=1), 1, id="only_what_was_shown_can_be_sold"),
        pytest.param(Before(held=3, shown_for_a_lag=0), 0, id="nothing_shown_is_nothing_sold"),
        pytest.param(Before(held=3, shown_for_a_lag=90), 3, id="plenty_shown_is_no_limit"),
    ],
)
def test_no_more_is_held_back_than_can_be_on_its_way(before: Before, held: int) -> None:
    assert units_held_back(1.0, 0, before, 0.95) == held


def test_the_buffer_covers_its_part_of_what_was_shown_as_well() -> None:
    assert units_held_back(5.0, 2, Before(shown_for_a_lag=3), 0.95) == 1
