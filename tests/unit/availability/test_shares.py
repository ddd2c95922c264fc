"""Shares: worked examples, and what must hold for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.availability.domain.shares import PERMILLE, shares_of


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ([(7, 500), (7, 500)], [4, 3]),
        ([(1, 500), (1, 500)], [1, 0]),
        ([(10, 300), (10, 300)], [3, 3]),
        ([(10, 333), (10, 333), (10, 334)], [3, 3, 4]),
        ([(0, 500), (0, 500)], [0, 0]),
        ([], []),
    ],
)
def test_worked_examples(claims: list[tuple[int, int]], expected: list[int]) -> None:
    assert shares_of(claims) == expected


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, PERMILLE)), max_size=8))
def test_no_share_is_a_unit_away_from_its_exact_part(claims: list[tuple[int, int]]) -> None:
    shares = shares_of(claims)

    for (quantity, permille), share in zip(claims, shares, strict=True):
        assert abs(share * PERMILLE - quantity * permille) < PERMILLE
        assert share <= quantity
    assert sum(shares) == sum(quantity * permille for quantity, permille in claims) // PERMILLE
