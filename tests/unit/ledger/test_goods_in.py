"""How a supply line stands, from what was to come and what came."""

from datetime import UTC, datetime, timedelta

import pytest

from services.ledger.domain.goods_in import Came, GoodsIn, GoodsInState, due_of, state_of
from shared.stock.supply import SupplyLine

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
SOON, BEFORE = NOW + timedelta(days=1), NOW - timedelta(days=1)


def a_line(**overrides: object) -> SupplyLine:
    told: dict[str, object] = {
        "supply_id": "P1", "line_id": "1", "sku": "S1", "location": "L1", "due": 10, "ordered": 10,
        "expected_at": SOON,
    }  # fmt: skip
    return SupplyLine(**(told | overrides))  # type: ignore[arg-type]  # as they come


@pytest.mark.parametrize(
    ("line", "received", "is_open", "expected"),
    [
        (a_line(), 0, True, "expected"),
        (a_line(expected_at=None), 0, True, "expected"),
        (a_line(expected_at=BEFORE), 0, True, "overdue"),
        (a_line(expected_at=BEFORE), 4, True, "overdue"),
        (a_line(), 4, True, "partial"),
        (a_line(), 10, True, "complete"),
        (a_line(expected_at=BEFORE), 10, True, "complete"),
        (a_line(rejected=3), 7, True, "complete"),
        (a_line(rejected=3), 6, True, "partial"),
        (a_line(), 11, True, "over"),
        (a_line(), 11, False, "over"),
        (a_line(), 4, False, "short"),
        (a_line(), 0, False, "short"),
        (a_line(cancelled=6), 4, False, "complete"),
        (a_line(cancelled=10), 0, False, "complete"),
        (a_line(cancelled=10), 0, True, "expected"),
        (a_line(is_transfer=True, dispatched=6), 6, True, "complete"),
        (a_line(is_transfer=True), 2, True, "over"),
    ],
)
def test_a_line_stands_as_what_came_says(
    line: SupplyLine, received: int, is_open: bool, expected: str
) -> None:
    assert state_of(line, Came(received), NOW, is_open=is_open) == expected


def test_what_is_due_is_never_below_nothing() -> None:
    assert due_of(a_line(cancelled=12)) == 0


@pytest.mark.parametrize(
    ("state", "told", "received", "expected"),
    [
        ("complete", 10, 10, False), ("complete", 0, 10, False), ("complete", 9, 10, True),
        ("partial", 0, 4, False), ("short", 0, 4, True), ("over", 0, 12, True),
        ("overdue", 0, 0, True), ("unannounced", 0, 4, True), ("expected", 0, 0, False),
    ],
)  # fmt: skip
def test_somebody_must_look_at_what_is_not_as_it_was_told(
    state: str, told: int, received: int, expected: bool
) -> None:
    found = GoodsIn(
        line=a_line(received=told), came=Came(received), state=GoodsInState(state),
        order_state="confirmed", type="purchase_order", supplier_id=None,
    )  # fmt: skip
    assert found.is_deviating is expected
