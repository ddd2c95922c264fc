"""What can be promised by a day."""

from datetime import timedelta

import pytest

from services.availability.domain.promise import available_to_promise
from tests.unit.availability.builders import NOON

Change = tuple[int, int]


@pytest.mark.parametrize(
    ("now", "arrivals", "demand", "by", "expected"),
    [
        pytest.param(5, [], [], 0, 5, id="what_is_there"),
        pytest.param(5, [(3, 10)], [], 2, 5, id="before_the_arrival"),
        pytest.param(5, [(3, 10)], [], 3, 15, id="on_the_day_of_the_arrival"),
        pytest.param(5, [(3, 10)], [(7, 12)], 3, 3, id="a_later_demand_counts_on_its_units"),
        pytest.param(5, [(9, 10)], [(7, 12)], 0, -7, id="signed_inside"),
        pytest.param(5, [(7, 12)], [(7, 12)], 0, 5, id="the_same_moment_is_one"),
    ],
)
def test_the_lowest_from_the_day_on(
    now: int, arrivals: list[Change], demand: list[Change], by: int, expected: int
) -> None:
    dated = [
        [(NOON + timedelta(days=day), quantity) for day, quantity in changes]
        for changes in (arrivals, demand)
    ]

    assert available_to_promise(now, dated[0], dated[1], NOON + timedelta(days=by)) == expected
