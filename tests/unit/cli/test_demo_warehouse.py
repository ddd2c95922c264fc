"""The demo's warehouse: what it picks, sends, puts back, loses and grades, by its own books."""

import random
from datetime import UTC, datetime

import pytest

from services.cli.demo.picking import GRADES, Bench
from services.cli.demo.shelves import Move, Replenishment, Shelves
from services.cli.demo.telling import Telling
from services.cli.demo.world import CENTRAL
from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.allocations import Allocated, Allocation
from shared.contracts.movements import StockMovement, accounts_of
from shared.contracts.returns import Return

AT = datetime(2026, 1, 1, tzinfo=UTC)
SEED = 5
LATER = 1_000.0


def an_allocation(
    version: int = 1, *, wanted: int = 2, shipped: int = 0, places: dict[str, int] | None = None
) -> Allocation:
    """The ledger's word on line 1 of order o-1."""
    claimed = {CENTRAL: wanted - shipped} if places is None else places
    return Allocation(
        order_id="o-1", line_id="1", version=version, decided_for=version, sku="x", wanted=wanted,
        shipped=shipped, recorded_at=AT,
        allocated=tuple(Allocated(location=n, quantity=q) for n, q in claimed.items() if q),
    )  # fmt: skip


def a_bench(on_hand: dict[str, int], *, lost: float = 0.0, returned: float = 0.0) -> Bench:
    """A bench over shelves of SKU x."""
    shelves = Shelves()
    shelves.on_hand.update({("x", location): units for location, units in on_hand.items()})
    return Bench(
        shelves, random.Random(SEED), "run", lost_share=lost, returned_share=returned
    )  # fmt: skip


def work(bench: Bench, now: float = LATER) -> list[Telling]:
    """Everything that is due by a moment, and what follows from it until another."""
    told: list[Telling] = []
    for step in range(20):
        told += bench.work_off(now + step * 100, AT)
    return told


def movements(told: list[Telling]) -> list[tuple[MovementType, str, int]]:
    """Type, place and units of the movements among what was told."""
    found = [t.message for t in told if isinstance(t.message, StockMovement)]
    return [(m.type, m.location, m.quantity) for m in found]


def test_a_claimed_line_is_picked_where_it_is_booked_and_sent() -> None:
    bench = a_bench({CENTRAL: 5, "a": 9})

    bench.take_in(an_allocation(wanted=2), 0.0)
    told = work(bench)

    assert movements(told) == [(MovementType.PICK, CENTRAL, 2), (MovementType.SHIPMENT, CENTRAL, 2)]
    assert bench.shelves.on_hand["x", CENTRAL] == 3
    assert bench.sent_units() == {("o-1", "1"): 2}
    shipment = told[1].message
    assert isinstance(shipment, StockMovement)
    assert accounts_of(shipment)[0].bucket is Bucket.PICKED
    assert shipment.order_line is not None


def test_nothing_is_sent_twice_for_an_answer_told_again() -> None:
    bench = a_bench({CENTRAL: 5})

    bench.take_in(an_allocation(1), 0.0)
    work(bench)
    bench.take_in(an_allocation(1), LATER)
    bench.take_in(an_allocation(2, shipped=2), LATER)

    assert work(bench, 2 * LATER) == []
    assert bench.sent_units() == {("o-1", "1"): 2}


def test_what_is_wanted_beyond_what_was_sent_is_sent_too() -> None:
    bench = a_bench({CENTRAL: 5})
    bench.take_in(an_allocation(1, wanted=2), 0.0)
    work(bench)

    bench.take_in(an_allocation(2, wanted=3, shipped=2), LATER)
    told = work(bench, 2 * LATER)

    assert movements(told) == [(MovementType.PICK, CENTRAL, 1), (MovementType.SHIPMENT, CENTRAL, 1)]


def test_an_older_answer_that_comes_late_brings_nothing_back() -> None:
    bench = a_bench({CENTRAL: 5})

    bench.take_in(an_allocation(2, wanted=0), 0.0)
    bench.take_in(an_allocation(1, wanted=2), 0.0)

    assert work(bench) == []
    assert bench.shelves.set_aside["x", CENTRAL] == 0


def test_what_is_cancelled_on_the_bench_goes_back_to_its_shelf() -> None:
    bench = a_bench({CENTRAL: 5})
    bench.take_in(an_allocation(1), 0.0)
    picked = bench.work_off(2.0, AT)

    bench.take_in(an_allocation(2, wanted=0), 2.0)
    told = work(bench)

    assert movements(picked) == [(MovementType.PICK, CENTRAL, 2)]
    assert movements(told) == [(MovementType.PICK, CENTRAL, 2)]
    back = told[0].message
    assert isinstance(back, StockMovement)
    assert [account.bucket for account in accounts_of(back)] == [Bucket.PICKED, Bucket.SELLABLE]
    assert bench.shelves.on_hand["x", CENTRAL] == 5


def test_what_a_till_has_sold_meanwhile_is_looked_for_elsewhere() -> None:
    bench = a_bench({"a": 0, "b": 4})

    bench.take_in(an_allocation(wanted=1, places={"a": 1}), 0.0)
    told = work(bench)

    assert bench.short_picks == 1
    assert movements(told) == [(MovementType.PICK, "b", 1), (MovementType.SHIPMENT, "b", 1)]


def test_what_cannot_be_found_is_written_off_and_taken_from_another_place() -> None:
    bench = a_bench({CENTRAL: 1, "a": 3}, lost=1.0)

    bench.take_in(an_allocation(wanted=1), 0.0)
    lost = bench.work_off(2.0, AT)
    bench.lost_share = 0.0
    told = work(bench)

    assert movements(lost) == [(MovementType.ADJUSTMENT, CENTRAL, 1)]
    assert bench.shelves.on_hand["x", CENTRAL] == 0
    assert movements(told)[-1] == (MovementType.SHIPMENT, "a", 1)


def test_the_centre_keeps_what_it_has_promised_and_stores_do_not() -> None:
    bench = a_bench({CENTRAL: 3, "a": 1})
    bench.shelves.lost["x"]["a"] = 9

    bench.take_in(an_allocation(wanted=3, places={CENTRAL: 2, "a": 1}), 0.0)
    moves = Replenishment().next_wave(bench.shelves)

    assert bench.shelves.set_aside["x", "a"] == 0
    dispatched = [m.units for m in moves if m.type is MovementType.TRANSFER_DISPATCH]
    assert dispatched == [1]
    assert all(isinstance(move, Move) for move in moves)


def test_a_parcel_that_comes_back_moves_when_it_is_graded_and_not_before() -> None:
    bench = a_bench({CENTRAL: 2}, returned=1.0)

    bench.take_in(an_allocation(wanted=2), 0.0)
    told = [t.message for t in work(bench) if isinstance(t.message, Return)]

    received, graded = told
    assert (received.lines[0].received, received.lines[0].graded.model_dump()) == (
        2, {"sellable": 0, "quality_hold": 0, "damaged": 0},
    )  # fmt: skip
    assert sum(graded.lines[0].graded.model_dump().values()) == 2
    assert graded.revision > received.revision
    assert received.return_id == graded.return_id
    assert bench.graded.total() == 2
    assert bench.shelves.on_hand["x", CENTRAL] == bench.graded["sellable"]


@pytest.mark.parametrize("grade", list(GRADES))
def test_every_grade_is_a_field_of_the_contract(grade: str) -> None:
    bench = a_bench({CENTRAL: 1}, returned=1.0)
    bench.rng = _Always(grade)

    bench.take_in(an_allocation(wanted=1), 0.0)
    told = [t.message for t in work(bench) if isinstance(t.message, Return)]

    assert told[-1].lines[0].graded.model_dump()[grade] == 1
    assert bench.shelves.on_hand["x", CENTRAL] == (grade == "sellable")


class _Always(random.Random):
    """Chance that always grades the same, and is in no hurry otherwise."""

    def __init__(self, grade: str) -> None:
        super().__init__(SEED)
        self._grade = grade

    def choices(self, *_: object, **__: object) -> list[str]:  # type: ignore[override]  # one answer only
        return [self._grade]
