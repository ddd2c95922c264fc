"""What a listing should show, how urgent it is, and when it is told nothing."""

import pytest

from services.publication.domain.wanting import (
    Mode,
    Sorted,
    Urgency,
    Withheld,
    mode_of,
    sort_out,
    value_for,
    withheld,
)
from tests.unit.publication.builders import a_listing, wanted


@pytest.mark.parametrize(
    ("available", "units", "maximum", "value"),
    [
        pytest.param(10, 1, None, 10, id="as_it_is"),
        pytest.param(-3, 1, None, 0, id="what_is_owed_shows_as_nothing"),
        pytest.param(23, 6, None, 3, id="whole_packs_only"),
        pytest.param(5, 6, None, 0, id="less_than_a_pack_is_none"),
        pytest.param(-1, 6, None, 0, id="a_negative_is_not_floored_to_minus_one_pack"),
        pytest.param(5000, 1, 999, 999, id="never_above_what_the_channel_can_show"),
    ],
)
def test_the_value_is_floored_and_bounded(
    available: int, units: int, maximum: int | None, value: int
) -> None:
    assert value_for(available, units, maximum) == value


@pytest.mark.parametrize(
    ("value", "shown", "urgency"),
    [
        pytest.param(0, 5, Urgency.ZERO, id="a_zero_first"),
        pytest.param(0, None, Urgency.ZERO, id="a_zero_where_nobody_knows_what_is_shown"),
        pytest.param(3, 5, Urgency.LAST_UNITS, id="then_last_units"),
        pytest.param(4, 5, Urgency.CHANGE, id="then_the_rest"),
        pytest.param(0, 0, Urgency.RESYNC, id="a_known_zero_told_again_waits"),
    ],
)
def test_urgency(value: int, shown: int | None, urgency: Urgency) -> None:
    assert wanted(value=value, shown=shown, is_resync=True).urgency is urgency


@pytest.mark.parametrize("channel", list(Mode))
@pytest.mark.parametrize("listing", list(Mode))
def test_the_more_careful_mode_wins(channel: Mode, listing: Mode) -> None:
    order = [Mode.OFF, Mode.SHADOW, Mode.LIVE]

    assert order.index(mode_of(channel, listing)) == min(map(order.index, (channel, listing)))


def test_reasons_to_withhold_come_in_their_order() -> None:
    everything = a_listing(is_fulfilled_by_channel=True, is_open=False, mode=Mode.OFF)
    closed = a_listing(is_open=False, mode=Mode.OFF)
    off = a_listing(mode=Mode.OFF)

    assert withheld(everything, Mode.OFF) is Withheld.FULFILLED_BY_CHANNEL
    assert withheld(closed, Mode.OFF) is Withheld.CLOSED
    assert withheld(off, Mode.LIVE) is Withheld.OFF
    assert withheld(a_listing(), Mode.OFF) is Withheld.OFF
    assert withheld(a_listing(), Mode.LIVE) is None
    assert list(Withheld) == [Withheld.FULFILLED_BY_CHANNEL, Withheld.CLOSED, Withheld.OFF]


def sorted_out(mode: Mode, **desired: object) -> tuple[int, int, int]:
    into = Sorted()
    sort_out(wanted(**desired), mode, into)  # type: ignore[arg-type]  # keywords of a builder
    return len(into.wanted), len(into.satisfied), len(into.shadowed)


def test_every_value_goes_to_one_place_at_most() -> None:
    in_shadow = a_listing(shown_in_shadow=10)
    refused = a_listing(refused_version=1)

    assert sorted_out(Mode.LIVE) == (1, 0, 0)
    assert sorted_out(Mode.LIVE, shown=10) == (0, 1, 0)
    assert sorted_out(Mode.LIVE, shown=10, is_resync=True) == (1, 0, 0)
    assert sorted_out(Mode.SHADOW) == (0, 0, 1)
    assert sorted_out(Mode.SHADOW, listing=in_shadow) == (0, 0, 0)
    assert sorted_out(Mode.OFF) == (0, 0, 0)
    assert sorted_out(Mode.LIVE, listing=refused) == (0, 0, 0)
    assert sorted_out(Mode.LIVE, listing=refused, version=2) == (1, 0, 0)
    assert sorted_out(Mode.LIVE, listing=refused, is_resync=True) == (1, 0, 0)
