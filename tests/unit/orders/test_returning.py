"""What of a return has newly become stock."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from services.orders.domain.returning import (
    Return,
    ReturnLine,
    ReturnState,
    growth_of,
    join_returns,
    line_key,
)
from tests.unit.orders.builders import NINE


def a_return(graded: dict[str, int], location: str | None = "L1", line_id: str = "1") -> Return:
    line = ReturnLine(sku="S1", revision=1, line_id=line_id, graded=graded)
    return Return(
        return_id="R1", revision=1, state=ReturnState.RECEIVED, told_at=NINE, location=location,
        lines={line_key(line_id, "S1"): line},
    )  # fmt: skip


def test_growth_is_what_was_not_posted_before() -> None:
    found = growth_of(a_return({"sellable": 5, "damaged": 1}), {"1|S1/sellable": 3})

    assert [(g.bucket, g.quantity, g.document_line) for g in found] == [
        ("sellable", 2, "1|S1/sellable/5"),
        ("damaged", 1, "1|S1/damaged/1"),
    ]


def test_nothing_grows_without_a_location() -> None:
    assert growth_of(a_return({"sellable": 5}, location=None), {}) == []


@given(st.text(min_size=1, max_size=200), st.integers(1, 10**9))
def test_a_document_line_fits_its_contract(line_id: str, units: int) -> None:
    growth = growth_of(a_return({"quality_hold": units}, line_id=line_id), {})[0]

    assert len(growth.document_line) <= 64


def test_what_was_graded_once_stays_graded() -> None:
    later = replace(a_return({"sellable": 1}), revision=2)

    folded = join_returns(a_return({"sellable": 3, "damaged": 1}), later)

    assert folded.lines["1|S1"].graded == {"sellable": 3, "damaged": 1}
