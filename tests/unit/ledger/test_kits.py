"""Order lines of kits: the pure rules by which they and their parts are booked together."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.kits import Part, book_together, want_kit
from services.ledger.domain.lines import Command, Line, Shelves, Took, consume
from services.ledger.domain.outcomes import Booked, in_kits

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
KIT, LAMP, BULB = 1, 2, 3
# Levels: SKU × 10 + location, of which there are two.
PER_KIT = {LAMP: 2, BULB: 1}
PLACES = (1, 2)


def levels_of(sku: int, places: tuple[int, ...] = PLACES) -> tuple[int, ...]:
    return tuple(sku * 10 + place for place in places)


def a_command(wanted: int = 1, revision: int = 1, **overrides: Any) -> Command:  # as above
    told = Command(
        revision=revision, wanted=wanted, candidates=levels_of(KIT), may_split=True, sku_id=KIT
    )
    return replace(told, **overrides)


def made_of(places: tuple[int, ...] = PLACES) -> list[Part]:
    return [
        Part(sku_id=sku, per_kit=each, candidates=levels_of(sku, places))
        for sku, each in PER_KIT.items()
    ]


def untold(first: int = 100) -> list[Line]:
    """The rows of a kit's line and its parts before any command; numbers from `first` on."""
    kit = Line(order_line_id=first, accepted_at=NOON, sku_id=KIT)
    parts = [
        Line(order_line_id=first + sku, accepted_at=NOON, sku_id=sku, part_of=first)
        for sku in PER_KIT
    ]
    return [kit, *parts]


def told(wanted: int = 1, first: int = 100, **overrides: Any) -> list[Line]:  # fields by name
    kit, *parts = untold(first)
    return want_kit(kit, parts, a_command(wanted, **overrides), made_of())


def booked(group: list[Line], free: Mapping[int, int]) -> list[Line]:
    return book_together([group], Shelves(free), NOON)


def taken(group: list[Line]) -> dict[int, int]:
    return {level: units for line in group for level, units in line.booked.items()}


def outcome(group: list[Line]) -> Booked[int]:
    """The group in whole kits; a place is a location, 1 or 2."""

    def of(line: Line) -> Booked[int]:
        return Booked(
            wanted=line.wanted, shipped=line.shipped, short=line.short, unsourced=line.unsourced,
            dated=line.dated, in_parts=line.in_parts, per_kit=line.per_kit,
            booked={level % 10: units for level, units in line.booked.items()},
            first=line.candidates[0] % 10 if line.candidates else None,
        )  # fmt: skip

    return in_kits(of(group[0]), [of(part) for part in group[1:]])


@pytest.mark.parametrize(
    ("wanted", "free", "expected", "short"),
    [
        pytest.param(1, {11: 1, 21: 9, 31: 9}, {11: 1}, 0, id="a_kit_made_up_goes_first"),
        pytest.param(2, {11: 1, 21: 2, 31: 1}, {11: 1, 21: 2, 31: 1}, 0, id="then_parts_there"),
        pytest.param(1, {21: 2, 32: 1}, {21: 2, 31: 1}, 1, id="parts_that_lie_apart_make_no_kit"),
        pytest.param(1, {21: 9, 22: 2, 32: 1}, {22: 2, 32: 1}, 0, id="whole_at_the_second_place"),
        pytest.param(
            3, {11: 1, 22: 4, 32: 2}, {11: 1, 22: 4, 32: 2}, 0, id="split_over_both_places"
        ),
        pytest.param(1, {21: 1}, {21: 2, 31: 1}, 1, id="what_is_there_is_kept_the_rest_is_short"),
        pytest.param(1, {21: -3}, {21: 2, 31: 1}, 1, id="owed_already_there_is_nothing"),
    ],
)
def test_a_kit_is_booked_made_up_or_in_parts_place_by_place(
    wanted: int, free: dict[int, int], expected: dict[int, int], short: int
) -> None:
    group = booked(told(wanted), free)

    assert taken(group) == expected
    assert outcome(group).short == short


def test_whole_at_one_place_goes_before_kits_from_two() -> None:
    group = booked(told(2), {21: 2, 31: 1, 22: 4, 32: 2})

    assert taken(group) == {22: 4, 32: 2}


def test_without_a_split_the_rest_is_short_at_the_first_place() -> None:
    group = booked(told(3, may_split=False), {21: 2, 31: 1, 12: 1, 22: 2, 32: 1})

    assert taken(group) == {21: 6, 31: 3}
    assert outcome(group).short == 2
    assert outcome(group).booked == {1: 1}


def test_short_units_of_a_part_are_those_that_are_not_there() -> None:
    _, lamp, bulb = booked(told(2), {21: 3})

    assert (lamp.short, bulb.short) == (1, 2)


def test_without_a_place_the_parts_are_what_has_none() -> None:
    kit, *parts = untold()
    group = want_kit(kit, parts, a_command(2, candidates=()), made_of(()))

    group = booked(group, {21: 9, 31: 9})

    assert [line.unsourced for line in group] == [0, 4, 2]
    assert outcome(group).unsourced == 2


def test_a_line_for_later_holds_neither_kits_nor_parts() -> None:
    group = told(2, held_from=NOON + timedelta(days=1))

    group = booked(group, {11: 9, 21: 9, 31: 9})

    assert taken(group) == {}
    assert [line.dated for line in group] == [0, 4, 2]
    assert outcome(group).dated == 2


def test_a_served_line_stays_where_it_is() -> None:
    group = booked(told(1), {21: 2, 31: 1})

    again = booked(group, {11: 9, 12: 9})

    assert again == group


def test_a_missing_part_that_comes_in_serves_the_kit() -> None:
    short = booked(told(1), {21: 2})

    served = booked(short, {21: 0, 31: 0})

    assert outcome(served).short == 0
    assert taken(served) == {21: 2, 31: 1}


def test_a_cancelled_kit_gives_up_parts_before_the_kit_that_is_made_up() -> None:
    group = booked(told(2), {11: 1, 21: 2, 31: 1})

    kit, *parts = group
    group = want_kit(kit, parts, a_command(1, revision=2), made_of())
    group = booked(group, {})

    assert taken(group) == {11: 1}

    kit, *parts = group
    group = booked(want_kit(kit, parts, a_command(0, revision=3), made_of()), {})

    assert taken(group) == {}
    assert outcome(group).shipped == 0


def test_shipped_parts_are_shipped_kits_when_all_have_gone() -> None:
    kit, lamp, bulb = booked(told(2), {21: 4, 31: 2})

    lamp = consume(lamp, Took.SHIPPED, 2, 21)
    half = booked([kit, lamp, bulb], {})

    assert outcome(half).shipped == 0
    assert outcome(half).booked == {1: 2}

    kit, lamp, bulb = half
    done = booked([kit, lamp, consume(bulb, Took.SHIPPED, 1, 31)], {})

    assert outcome(done).shipped == 1
    assert taken(done) == {21: 2, 31: 1}
    assert outcome(done).booked == {1: 1}


def test_a_kit_shipped_as_a_kit_gives_its_parts_back() -> None:
    kit, lamp, bulb = booked(told(2), {21: 4, 31: 2})

    group = booked([consume(kit, Took.SHIPPED, 1, 11), lamp, bulb], {})

    assert taken(group) == {21: 2, 31: 1}
    assert outcome(group).shipped == 1


def test_a_kit_that_is_begun_in_parts_is_finished_in_parts() -> None:
    kit, lamp, bulb = booked(told(1), {11: 1})

    group = booked([kit, consume(lamp, Took.SHIPPED, 2, 21), bulb], {11: 0, 31: 1})

    assert taken(group) == {31: 1}


def test_parts_shipped_before_the_command_count_for_the_kit() -> None:
    kit, lamp, bulb = untold()
    kit = consume(replace(kit, sku_id=LAMP), Took.SHIPPED, 2, 21)
    bulb = consume(bulb, Took.SHIPPED, 1, 31)

    group = booked(want_kit(kit, [lamp, bulb], a_command(1), made_of()), {})

    assert outcome(group).shipped == 1
    assert taken(group) == {}


def test_substitutes_shipped_before_the_command_of_no_kit_count_for_the_line() -> None:
    kit, lamp, bulb = untold()
    kit, bulb = consume(kit, Took.SHIPPED, 1, 11), consume(bulb, Took.SHIPPED, 2, 31)

    group = want_kit(kit, [lamp, bulb], a_command(3), ())

    assert [line.shipped for line in group] == [3, 0, 0]


def test_a_line_that_becomes_another_sku_gives_its_parts_up() -> None:
    kit, *parts = booked(told(1), {21: 2, 31: 1})

    plain = want_kit(kit, parts, a_command(2, revision=2, sku_id=9, candidates=(91, 92)), ())
    group = booked(plain, {91: 1})

    assert taken(group) == {91: 2}
    assert outcome(group).short == 1


def test_an_older_command_changes_nothing() -> None:
    group = told(1, revision=5)

    again = want_kit(group[0], group[1:], a_command(7, revision=4), made_of())

    assert again == group


def test_the_older_of_two_lines_gets_the_last_parts() -> None:
    young, old = told(1, first=100), told(1, first=200)

    first = book_together([old, young], Shelves({21: 3, 31: 2}), NOON)

    assert outcome(first[:3]).short == 0
    assert outcome(first[3:]).short == 1


free_units = st.dictionaries(
    st.sampled_from([sku * 10 + place for sku in (KIT, LAMP, BULB) for place in PLACES]),
    st.integers(-3, 7),
)


@given(free=free_units, wanted=st.integers(0, 5), may_split=st.booleans())
def test_as_many_kits_are_served_as_can_be_put_together_one_by_one(
    free: dict[int, int], wanted: int, may_split: bool
) -> None:
    group = booked(told(wanted, may_split=may_split), free)

    found = outcome(group)
    by_place = [
        _one_by_one({key: units for key, units in free.items() if key % 10 == place})
        for place in PLACES
    ]
    possible = sum(by_place) if may_split else max(by_place)
    served = min(wanted, possible)
    if not may_split and max(by_place) < wanted:
        served = by_place[0]
    assert sum(found.booked.values()) == served
    assert found.short == wanted - served


def _one_by_one(free: dict[int, int]) -> int:
    """Kits of one place, taken one after the other; independent of the booking's own arithmetic."""
    left, kits = dict(free), 0
    while True:
        if any(units > 0 for key, units in left.items() if key // 10 == KIT):
            key = next(k for k in left if k // 10 == KIT)
            left[key] -= 1
        elif all(
            any(units >= each for key, units in left.items() if key // 10 == sku)
            for sku, each in PER_KIT.items()
        ):
            for sku, each in PER_KIT.items():
                left[next(k for k in left if k // 10 == sku)] -= each
        else:
            return kits
        kits += 1


# Wanted kits, a shipment of (SKU, units), or units that arrive by level.
actions = st.one_of(
    st.integers(0, 4),
    st.sampled_from([(KIT, 1), (LAMP, 1), (LAMP, 2), (BULB, 1)]),
    free_units,
)


@given(start=free_units, history=st.lists(actions, max_size=8))
def test_whatever_happens_demand_stays_in_the_books_and_nothing_is_taken_twice(
    start: dict[int, int], history: list[int | tuple[int, int] | dict[int, int]]
) -> None:
    sellable, group = dict(start), untold()
    for revision, action in enumerate([2, *history]):
        before = taken(group)
        if isinstance(action, int):
            group = want_kit(group[0], group[1:], a_command(action, revision), made_of())
        elif isinstance(action, tuple):
            sku, units = action
            place = [KIT, LAMP, BULB].index(sku)
            group[place] = consume(group[place], Took.SHIPPED, units, sku * 10 + 1)
            sellable[sku * 10 + 1] = sellable.get(sku * 10 + 1, 0) - units
        else:
            for level, units in action.items():
                sellable[level] = sellable.get(level, 0) + abs(units)
        held = taken(group)
        free = {level: sellable.get(level, 0) - held.get(level, 0) for level in {*sellable, *held}}
        group = booked(group, free)

        found = outcome(group)
        allocated = sum(found.booked.values())
        assert allocated + found.short + found.dated == max(0, found.wanted - found.shipped)
        for line in group:
            assert line.claimed == sum(line.booked.values())
            for level, units in line.booked.items():
                short = line.short if level == line.candidates[0] else 0
                # What serves its line stays, also where the shelf has been emptied under it.
                there = max(0, sellable.get(level, 0), before.get(level, 0))
                assert units - short <= there


def test_no_kit_is_put_together_of_parts_that_were_looked_for_in_vain() -> None:
    group, shelves = told(), Shelves({21: 2, 31: 1, 22: 2, 32: 1}, suspended=[31])

    after = book_together([group], shelves, NOON)

    assert taken(after) == {22: 2, 32: 1}
