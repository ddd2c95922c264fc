"""What a lane holds back: decided, looked at again, explained; and which shops it is told of."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from services.publication.app import hold_of
from services.publication.domain.holding_back import Demand, HoldBack
from services.publication.domain.outcomes import Acknowledged, Judging, consequence
from services.publication.domain.unheard import Heard, told_blindly
from services.publication.domain.wanting import Desired
from services.publication.engine.holding import Holding, Reason
from services.publication.settings import MiraklShop, ShopifyShop, WooCommerceShop
from shared.runtime.clock import ManualClock
from tests.unit.publication.builders import a_listing, wanted

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOLD = HoldBack(lag_seconds=60.0, memory_seconds=600.0, look_again_seconds=15.0)


def a_wish(clock: ManualClock, units_sold: float = 10.0, **more: Any) -> Desired:
    """A figure of 8 shown, of a listing of which so many were sold just now."""
    now = clock.now().timestamp()
    wish = wanted(value=8, demand=Demand(units_sold, now), **more)
    return wish.upon(8, told_blindly(8, Heard(), now=now - 1.0))


def test_what_never_sold_anything_is_left_alone() -> None:
    wish = wanted(value=8)

    assert Holding(HOLD, ManualClock(NOON)).decide(wish) is wish


def test_a_wish_is_lowered_by_what_its_own_demand_asks_for() -> None:
    clock = ManualClock(NOON)

    decided = Holding(HOLD, clock).decide(a_wish(clock))

    assert (decided.value, decided.full, decided.held, decided.basis.held) == (5, 8, 3, 3)


def test_more_than_the_figure_is_a_zero() -> None:
    clock = ManualClock(NOON)

    decided = Holding(HOLD, clock).decide(a_wish(clock, units_sold=100.0))

    assert (decided.value, decided.full) == (0, 8)


def test_packs_of_six_are_held_back_in_packs() -> None:
    clock = ManualClock(NOON)
    wish = a_wish(clock, listing=a_listing(units=6), units_sold=60.0, channel_buffer=13)

    decided = Holding(HOLD, clock).decide(wish)

    assert (decided.value, decided.held) == (7, 1)  # three, of which two lie behind the buffer


def test_what_is_decided_twice_stays_as_it_is() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)

    decided = holding.decide(holding.decide(a_wish(clock)))

    assert (decided.value, decided.held) == (5, 3)


def test_a_listing_is_looked_at_again_as_long_as_something_is_held_back() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    wish = holding.decide(a_wish(clock))

    clock.advance(seconds=14)
    early = holding.due()
    clock.advance(seconds=1)
    first, second = holding.due(), holding.due()
    clock.advance(seconds=6_000)
    later = holding.decide(wish)

    assert (early, first, second) == ([], [wish.listing_id], [])
    assert (later.value, later.held, holding.due()) == (8, 0, [])


def test_the_last_units_are_told_when_nothing_was_shown_for_a_lag() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    asking = Judging(at=clock.now().timestamp())
    zero = consequence(holding.decide(a_wish(clock, 100.0)), Acknowledged(), asking).desired
    again = wanted(value=8, demand=zero.demand).upon(0, zero.basis)

    clock.advance(seconds=59)
    early = holding.decide(again)
    clock.advance(seconds=1)
    told = holding.decide(again)
    later = Judging(at=clock.now().timestamp())
    told = consequence(told, Acknowledged(), later).desired
    stays = holding.decide(wanted(value=8, demand=zero.demand).upon(8, told.basis))
    sold = Demand(101.0, clock.now().timestamp())
    after_a_sale = holding.decide(wanted(value=7, demand=sold).upon(8, told.basis))

    assert (zero.value, early.value) == (0, 0)
    assert (told.value, stays.value, after_a_sale.value) == (8, 8, 0)


def test_what_nobody_knows_to_be_shown_limits_nothing() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    wish = a_wish(clock).upon(None, told_blindly(0, Heard(), 3))

    assert holding.decide(wish).held == 3


def test_so_many_are_looked_at_at_once_and_the_rest_next_time() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    for listing_id in range(1_500):
        holding.note(listing_id)

    clock.advance(seconds=20)

    assert [len(holding.due()) for _ in range(3)] == [1_000, 500, 0]


def test_a_new_lease_begins_without_looks() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    holding.note(1)

    holding.begin()

    clock.advance(seconds=20)
    assert holding.due() == []


def test_without_a_wish_to_hold_back_what_was_held_is_given_back() -> None:
    clock = ManualClock(NOON)
    held = Holding(HOLD, clock).decide(a_wish(clock))
    none = Holding(None, clock)

    none.learn([1.0] * 30)
    none.note(held.listing_id)

    assert (none.decide(held).value, none.decide(a_wish(clock)).held) == (8, None)
    clock.advance(seconds=20)
    assert (none.due(), none.explain(held), none.lag_seconds) == ([], None, 0.0)


def test_what_is_held_back_is_explained() -> None:
    clock = ManualClock(NOON)
    holding = Holding(HOLD, clock)
    holding.learn([30.0] * 20)
    decided = holding.decide(a_wish(clock, channel_buffer=1))

    assert holding.explain(decided) == Reason(
        held_back=1, quantile=2, probability=0.95, expected_within_lag=0.5, lag_seconds=30.0,
        sold_per_hour=60.0, channel_buffer=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("hold_back", "probability"),
    [
        pytest.param({}, 0.95, id="by_default"),
        pytest.param({"hold_back": 0}, None, id="turned_off"),
    ],
)
def test_a_channel_says_how_much_is_held_back(
    hold_back: dict[str, Any], probability: float | None
) -> None:
    woo = WooCommerceShop(
        kind="woocommerce", url="http://shop", key="k", secret="s", **hold_back
    )  # fmt: skip
    mirakl = MiraklShop(kind="mirakl", url="http://market", api_key="k", **hold_back)

    found = [hold_of(shop, 300.0) for shop in (woo, mirakl)]

    assert [hold and hold.probability for hold in found] == [probability, probability]
    assert [hold.lag_seconds for hold in found if hold] == ([5.0, 120.0] if probability else [])
    assert {hold.memory_seconds for hold in found if hold} <= {300.0}


def test_a_channel_that_compares_holds_nothing_back() -> None:
    shop = ShopifyShop(kind="shopify", url="http://shop", access_token="t", location_id="1")

    assert hold_of(shop, 300.0) is None


@pytest.mark.parametrize(
    ("heard", "is_shown"),
    [
        pytest.param(Heard(2, 1), True, id="nothing_since_it_was_told"),
        pytest.param(Heard(3, 1), False, id="a_sale_that_the_shop_has_counted_down_or_not"),
        pytest.param(Heard(3, 2), False, id="sold_and_cancelled_is_no_surer"),
    ],
)
def test_without_a_compare_what_is_heard_makes_what_is_shown_uncertain(
    heard: Heard, is_shown: bool
) -> None:
    wish = wanted(value=5).upon(5, told_blindly(5, Heard(2, 1)))

    again = replace(wish, heard=heard)

    assert (again.is_satisfied, again.value, again.may_stand) == (is_shown, 5, False)
