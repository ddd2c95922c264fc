"""What counts found: value, what is to be counted again, accuracy."""

from decimal import Decimal

import pytest

from services.ledger.domain.counting import Threshold, Variance, summed
from services.ledger.handlers.counting import csv_of

THRESHOLD = Threshold(10, Decimal(100))


def found(variance: int, cost: str | None = None, currency: str = "EUR") -> Variance:
    return Variance(
        counted=20, variance=variance, unit_cost=None if cost is None else Decimal(cost),
        currency=currency if cost else None,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("variance", "cost", "again"),
    [(-9, None, False), (-10, None, True), (10, None, True), (0, "999", False),
     (-2, "49.99", False), (-2, "50", True), (1, "100", True)],
)  # fmt: skip
def test_a_count_is_done_again_from_so_many_units_or_so_much_value_on(
    variance: int, cost: str | None, again: bool
) -> None:
    assert found(variance, cost).wants_recount(THRESHOLD) is again


def test_found_and_missing_do_not_make_up_for_each_other_and_currencies_are_not_mixed() -> None:
    summary = summed(
        [found(-3, "2"), found(2, "2.50"), found(0), found(1), found(-1, "4", "USD"), found(5)]
    )

    assert (summary.counts, summary.found, summary.missing) == (6, 8, 4)
    assert summary.values == {"EUR": Decimal("-1.00"), "USD": Decimal(-4)}
    assert summary.accuracy == 0.5


def test_nothing_counted_has_no_accuracy() -> None:
    assert summed([]).accuracy is None


def test_a_sheet_is_a_file_to_fill_in() -> None:
    assert csv_of(["S1", 'a"b,c'], "L1") == 'sku,location,quantity\r\nS1,L1,\r\n"a""b,c",L1,\r\n'
