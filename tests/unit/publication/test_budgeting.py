"""A listing's calls of a day: spread, with a reserve for zeros and last units."""

import pytest

from services.publication.domain.budgeting import DAY_SECONDS, Budget
from tests.unit.publication.builders import wanted

HOUR = 3_600.0


def a_budget(spent: int, per_day: int = 250) -> Budget:
    budget = Budget(per_day, 0.0)
    budget.begin_with({1: spent})
    return budget


@pytest.mark.parametrize(
    ("spent", "value", "now", "wait"),
    [
        pytest.param(0, 50, 0.0, 0.0, id="the_first_goes"),
        pytest.param(9, 50, 0.0, 0.0, id="a_twentieth_ahead"),
        pytest.param(10, 50, 0.0, 432.0, id="then_its_share_of_the_day"),
        pytest.param(10, 50, 432.0, 0.0, id="which_comes"),
        pytest.param(100, 50, 12 * HOUR, 0.0, id="half_of_it_at_noon"),
        pytest.param(200, 50, 23 * HOUR, HOUR, id="the_reserve_is_not_for_a_change"),
        pytest.param(200, 0, 23 * HOUR, 0.0, id="a_zero_may_have_it"),
        pytest.param(249, 3, 0.0, 0.0, id="a_last_unit_may_have_the_last"),
        pytest.param(250, 0, 0.0, DAY_SECONDS, id="nothing_is_left_before_midnight"),
        pytest.param(250, 0, DAY_SECONDS + 1.0, 0.0, id="a_new_day"),
    ],
)
def test_who_waits_for_how_long(spent: int, value: int, now: float, wait: float) -> None:
    assert a_budget(spent).wait_seconds(wanted(1, value), now) == pytest.approx(wait)


def test_a_days_changes_are_spread_over_it_and_leave_the_reserve() -> None:
    budget, now, calls = Budget(250, 0.0), 0.0, 0

    while now < DAY_SECONDS - 1:
        wait = budget.wait_seconds(wanted(1, 50), now)
        if wait == 0.0:
            budget.spend(1, now)
            calls += 1
        now += max(wait, 1.0)

    assert calls == 200


def test_each_listing_has_its_own_and_small_budgets_still_move() -> None:
    budget = a_budget(0, per_day=1)
    budget.spend(1, 0.0)

    assert budget.wait_seconds(wanted(1, 0), 0.0) == DAY_SECONDS
    assert budget.wait_seconds(wanted(2, 50), 0.0) == 0.0
    budget.give_back(1)
    assert budget.wait_seconds(wanted(1, 0), 0.0) == 0.0
