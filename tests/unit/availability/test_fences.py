"""Ring-fences in the formula: what is left of one shows to its beneficiary, and to nobody else."""

from hypothesis import given
from hypothesis import strategies as st

from services.availability.domain.figures import figures_of
from services.availability.domain.levels import Level, fenced_level, raised
from services.availability.repository.packing import pack_levels, unpack_levels
from shared.stock.policies import Term
from tests.unit.availability.builders import (
    a_channel,
    a_level,
    a_location,
    a_plan,
    a_policy,
    figures,
)

BOTH = (a_channel("b2b"), a_channel("web"))


def fenced(sellable: int, reserved: int, **left: int) -> Level:
    return fenced_level(a_level(sellable, reserved=reserved), left)


def test_what_is_left_of_a_fence_shows_to_its_beneficiary_alone() -> None:
    found = figures(a_plan(*BOTH), A=fenced(5, 4, b2b=4), B=a_level(2))

    assert {name: one.available_to_sell for name, one in found.items()} == {"b2b": 7, "web": 3}
    assert (found["b2b"].terms.ring_fenced, found["web"].terms.ring_fenced) == (4, 0)


def test_no_buffer_keeps_a_fence_from_its_beneficiary_but_a_closure_does() -> None:
    level = fenced(5, 4, b2b=4)
    buffered = a_plan(*BOTH, policies=[a_policy(Term.LOCATION_BUFFER, 3)])
    closed = a_plan(*BOTH, policies=[a_policy(Term.CLOSED, 1, location="A")])

    assert figures(buffered, A=level)["b2b"].available_to_sell == 4
    assert figures(closed, A=level)["b2b"].available_to_sell == 0


def test_a_fence_that_the_book_cannot_serve_shows_only_what_is_there() -> None:
    found = figures(a_plan(*BOTH), A=fenced(3, 5, b2b=5))

    assert {name: one.available_to_sell for name, one in found.items()} == {"b2b": 3, "web": 0}


def test_a_fence_shows_by_place_and_only_for_methods_that_its_place_serves() -> None:
    channel = a_channel("b2b", "A", "B", methods=("home", "collect"), shows_locations=True)
    able = a_location("A", capabilities=frozenset({"collect"}))
    plan = a_plan(channel, locations=[able, a_location("B")])

    figure = figures(plan, A=fenced(5, 4, b2b=4), B=a_level(2))["b2b"]

    assert figure.by_location == {"A": 5, "B": 2}
    assert figure.by_method == {"home": 2, "collect": 7}


def test_a_level_with_fences_is_packed_and_comes_back_as_it_was() -> None:
    levels = {"A": fenced(5, 4, b2b=4), "B": a_level(2)}

    unpacked = unpack_levels(pack_levels(levels))

    assert unpacked == levels
    assert unpacked["A"].fences == {"b2b": 4}
    assert unpacked["B"].fences == {}
    assert [*raised(unpacked["A"], 2)] == [1, 7, 4, 0, False, {"b2b": 4}]


UNITS = st.integers(0, 6)


@given(st.lists(st.tuples(UNITS, UNITS, UNITS, UNITS, UNITS), min_size=1, max_size=2))
def test_channels_never_show_a_unit_of_a_fence_twice(
    places: list[tuple[int, int, int, int, int]],
) -> None:
    levels = {
        name: fenced(sellable, carts + own + other, b2b=own, web=other)
        if own or other
        else a_level(sellable, reserved=carts, allocated=allocated)
        for name, (sellable, allocated, carts, own, other) in zip("AB", places, strict=False)
    }

    found = {one.channel: one for one in figures_of(levels, 0, a_plan(*BOTH))}

    free = sum(max(0, level.free) for level in levels.values())
    left = {n: sum(level.fences.get(n, 0) for level in levels.values()) for n in ("b2b", "web")}
    for name, figure in found.items():
        assert figure.available_to_sell <= free + left[name]
        assert figure.available_to_sell <= sum(max(0, level.sellable) for level in levels.values())
    own_parts = sum(max(0, figure.available_to_sell - free) for figure in found.values())
    assert own_parts <= sum(left.values())
