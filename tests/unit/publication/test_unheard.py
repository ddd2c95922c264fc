"""Units that a channel has sold and no figure includes yet: each rule, and all at random."""

import random
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from services.publication.domain.outcomes import (
    Acknowledged,
    Fate,
    Judging,
    Stale,
    Then,
    Unknown,
    consequence,
    read_back,
)
from services.publication.domain.unheard import (
    UNKNOWN,
    Basis,
    Heard,
    dropped,
    expected,
    found,
    found_in_doubt,
    still_unheard,
    told_blindly,
    written,
)
from services.publication.domain.wanting import Desired
from tests.unit.publication.builders import a_listing, wanted

COMPARING = Judging(can_compare_and_set=True, at=100.0)
TEN = Heard(10, 10)  # what had been heard when the basis was made


def a_basis(shown: int = 5, unheard: int = 0, back: int = 0, **more: Any) -> Basis:
    since = {"since": 50.0, "floor": unheard} if unheard + back else {}
    fields: dict[str, Any] = {"shown": shown, "unheard": unheard, "unheard_back": back}
    return Basis(heard=TEN, **fields | since | more)


def since(sold: int = 0, back: int = 0) -> Heard:
    return Heard(10 + sold, 10 + back)


@pytest.mark.parametrize(
    ("unheard", "heard", "left"),
    [
        pytest.param(2, since(), 2, id="nothing_heard"),
        pytest.param(2, since(1), 1, id="one_of_them_heard"),
        pytest.param(2, since(2), 0, id="both_heard"),
        pytest.param(2, since(5), 0, id="more_heard_than_were_unheard"),
        pytest.param(2, since(0, 1), 2, id="a_cancelled_line_makes_no_sale_unheard"),
        pytest.param(2, since(1, 1), 1, id="a_cancelled_line_hides_no_sale_that_was_heard"),
    ],
)
def test_what_is_heard_is_no_longer_unheard(unheard: int, heard: Heard, left: int) -> None:
    assert still_unheard(a_basis(unheard=unheard), heard) == left


@pytest.mark.parametrize(
    ("basis", "heard", "units", "shows"),
    [
        pytest.param(a_basis(), since(), 1, 5, id="as_it_was"),
        pytest.param(a_basis(), since(1), 1, 4, id="a_sale_since_has_lowered_it"),
        pytest.param(a_basis(unheard=1), since(1), 1, 5, id="one_from_before_had_lowered_it"),
        pytest.param(a_basis(unheard=1), since(3), 1, 3, id="one_from_before_and_two_since"),
        pytest.param(a_basis(), since(0, 2), 1, 7, id="cancelled_units_are_back"),
        pytest.param(a_basis(back=2), since(0, 3), 1, 6, id="two_of_them_were_back_before"),
        pytest.param(a_basis(), since(2, 2), 1, 5, id="sold_and_cancelled"),
        pytest.param(a_basis(), since(12), 6, 3, id="two_packs_of_six"),
    ],
)
def test_what_the_channel_shows_if_all_was_heard(
    basis: Basis, heard: Heard, units: int, shows: int
) -> None:
    assert expected(basis, heard, units) == shows


@pytest.mark.parametrize(
    ("basis", "shown", "heard", "units", "unheard", "back"),
    [
        pytest.param(UNKNOWN, 4, since(), 1, 0, 0, id="a_first_sight_explains_nothing"),
        pytest.param(a_basis(), 4, since(), 1, 1, 0, id="a_sale_that_nobody_told"),
        pytest.param(a_basis(), 4, since(1), 1, 0, 0, id="a_sale_that_was_told"),
        pytest.param(a_basis(), 3, since(1), 1, 1, 0, id="one_told_and_one_not"),
        pytest.param(a_basis(unheard=1), 3, since(1), 1, 2, 0, id="the_told_one_was_the_older"),
        pytest.param(a_basis(), 5, since(0, 1), 1, 1, 0, id="cancelled_and_sold_again"),
        pytest.param(a_basis(), 3, since(), 6, 12, 0, id="packs_count_their_units"),
        pytest.param(a_basis(), 9, since(), 1, 0, 4, id="more_than_any_order_explains"),
        pytest.param(a_basis(back=4), 4, since(), 1, 1, 4, id="what_came_back_hides_no_sale"),
        pytest.param(a_basis(back=4), 5, since(0, 4), 1, 0, 0, id="what_came_back_is_told"),
        pytest.param(a_basis(unheard=1), 5, since(3), 1, 0, 2, id="orders_that_lowered_nothing"),
    ],
)
def test_what_a_stale_compare_tells(
    basis: Basis, shown: int, heard: Heard, units: int, unheard: int, back: int
) -> None:
    after = found(basis, shown, heard, units, now=100.0)

    assert (after.shown, after.unheard, after.unheard_back) == (shown, unheard, back)
    assert after.heard == heard


@pytest.mark.parametrize(
    ("shown", "unheard"),
    [
        pytest.param(8, 0, id="applied"),
        pytest.param(5, 3, id="not_applied_or_applied_and_three_sold"),
        pytest.param(4, 4, id="applied_and_four_sold_is_the_worse"),
        pytest.param(9, 0, id="changed_by_hand"),
    ],
)
def test_after_an_unknown_outcome_the_worse_is_believed(shown: int, unheard: int) -> None:
    after = found_in_doubt(a_basis(5), sent=8, shown=shown, heard=TEN, units=1, now=100.0)

    assert (after.shown, after.unheard) == (shown, unheard)


def test_what_stays_unheard_keeps_the_time_since_when_and_its_least() -> None:
    first = found(a_basis(5), 2, since(), 1, now=100.0)
    second = written(first, 7, since(2), now=200.0)
    third = found(second, 4, since(2), 1, now=300.0)
    heard = written(third, 9, since(6), now=400.0)

    assert (first.unheard, first.floor, first.since) == (3, 3, 100.0)
    assert (second.unheard, second.floor, second.since) == (1, 1, 100.0)
    assert (third.unheard, third.floor, third.since) == (4, 1, 100.0)
    assert (heard.unheard, heard.floor, heard.since) == (0, 0, None)


def test_only_what_no_order_explained_all_the_while_is_dropped() -> None:
    basis = a_basis(unheard=4, floor=1, back=2)

    after, units = dropped(basis, since(), now=1000.0)
    again, more = dropped(after, since(3), now=2000.0)

    assert (after.unheard, after.unheard_back, after.floor, after.since) == (3, 0, 3, 1000.0)
    assert (again.unheard, again.since, units, more) == (3, 2000.0, 3, 0)


def a_wish(value: int, basis: Basis, heard: Heard = TEN, units: int = 1) -> Desired:
    wish = wanted(value=value, listing=a_listing(1, units=units), heard=heard)
    return wish.upon(basis.shown, basis)


@pytest.mark.parametrize(
    ("target", "units", "unheard", "value"),
    [
        pytest.param(9, 1, 0, 9, id="nothing_unheard"),
        pytest.param(9, 1, 2, 7, id="two_unheard"),
        pytest.param(1, 1, 2, 0, id="never_below_zero"),
        pytest.param(9, 6, 1, 8, id="a_begun_pack_is_no_pack"),
    ],
)
def test_the_unheard_is_taken_off_the_figure(
    target: int, units: int, unheard: int, value: int
) -> None:
    wish = a_wish(target, a_basis(unheard=unheard), units=units)

    assert (wish.value, wish.full) == (value, target)


def test_what_has_been_heard_makes_what_is_shown_uncertain() -> None:
    told = a_wish(5, a_basis(5))
    sold, cancelled = a_wish(5, a_basis(5), since(1)), a_wish(5, a_basis(5), since(0, 1))
    known = a_wish(6, a_basis(5, unheard=1))
    explained = a_wish(5, a_basis(5, unheard=1), since(1))

    assert [w.is_satisfied for w in (told, known, explained)] == [True, True, True]
    assert [w.is_satisfied for w in (sold, cancelled)] == [False, False]
    assert [w.expected for w in (sold, cancelled)] == [4, 6]


@pytest.mark.parametrize(
    ("target", "shown", "value", "may_stand"),
    [
        pytest.param(8, 4, 7, False, id="more_came_in: told_at_once_less_the_sale"),
        pytest.param(4, 4, 3, True, id="as_the_figure: it_may_stand_for_a_moment"),
        pytest.param(3, 4, 2, False, id="above_the_figure: lowered_at_once"),
        pytest.param(0, 4, 0, False, id="sold_out_elsewhere"),
        pytest.param(9, 7, 9, False, id="given_back: the_figure_itself"),
    ],
)
def test_a_stale_compare_is_news(target: int, shown: int, value: int, may_stand: bool) -> None:
    what = consequence(a_wish(target, a_basis(5)), Stale(found=shown), COMPARING)
    found = what.desired

    assert (what.fate, what.then) == (Fate.STALE, Then.RETRIED)
    assert (found.value, found.shown, found.full, found.may_stand) == (
        value, shown, target, may_stand,
    )  # fmt: skip
    assert not replace(found, has_waited=True).may_stand


def test_a_stale_compare_that_says_nothing_is_read_back_else_nothing_is_compared() -> None:
    wish = a_wish(8, a_basis(5))

    asked = consequence(wish, Stale(), COMPARING)
    blind = consequence(wish, Stale(), Judging(can_compare_and_set=True, can_read_back=False))

    assert (asked.then, asked.desired.basis) == (Then.IN_DOUBT, a_basis(5))
    assert (blind.then, blind.desired.expected, blind.desired.value) == (Then.RETRIED, None, 8)


def test_without_a_compare_nothing_is_ever_unheard() -> None:
    told = consequence(wanted(value=8), Acknowledged(), Judging()).desired
    lost = consequence(wanted(value=8), Unknown(code="x"), Judging()).desired
    contradicted = read_back(lost, 3, Judging()).desired

    assert told.basis == replace(told_blindly(8, Heard()), version=1)
    assert contradicted.basis == replace(told_blindly(3, Heard()), version=1)
    assert lost.basis == UNKNOWN
    assert (contradicted.value, contradicted.shown) == (8, 3)
    assert [still_unheard(one.basis, Heard(9)) for one in (told, contradicted)] == [0, 0]


@dataclass
class Shop:
    """The truth, kept apart from what is tested: stock, the shop's counter, orders on their way.

    An order lowers the shop's counter at once. It reaches the book (and the figure) later, and is
    counted as heard later still, in any order; so does its cancellation, if it comes to that.
    """

    book: int
    shows: int = 0
    unbooked: list[int] = field(default_factory=list)
    uncounted: list[int] = field(default_factory=list)
    sold: list[int] = field(default_factory=list)
    heard: Heard = UNKNOWN.heard
    version: int = 0

    @property
    def safe(self) -> int:
        """The most that may be shown without selling a unit twice.

        What is unbooked and negative was cancelled: those units are there again.
        """
        return max(0, self.book - sum(self.unbooked))

    @property
    def masked(self) -> int:
        """Units given back that nobody has counted yet: as many sales may hide behind them."""
        return -sum(units for units in (*self.unbooked, *self.uncounted) if units < 0)

    def sell(self, units: int) -> None:
        self.shows -= units
        self.unbooked.append(units)

    def cancel(self, units: int) -> None:
        self.shows += units
        self.unbooked.append(-units)

    def post(self, units: int) -> None:
        self.book, self.version = self.book - units, self.version + 1

    def count(self, units: int) -> None:
        heard = self.heard
        self.heard = Heard(heard.sold + max(0, units), heard.back + max(0, -units))
        if units > 0:
            self.sold.append(units)


class Told:
    """The engine's side in small: one listing, one call at a time, all decisions of the domain."""

    def __init__(self, shop: Shop, rng: random.Random, lost: float) -> None:
        self.shop, self.rng, self.lost = shop, rng, lost
        self.shown: int | None = None
        self.basis = UNKNOWN
        self.flying: tuple[Desired, int | None] | None = None
        self.doubted: Desired | None = None
        self.compared = self.stale = 0

    def wish(self) -> Desired:
        shop = self.shop
        figure = max(0, shop.book)
        wish = wanted(value=figure, version=shop.version, heard=shop.heard, shown=self.shown)
        return wish.upon(self.shown, self.basis)

    def send(self) -> None:
        wish = self.wish()
        if self.flying is None and self.doubted is None and not wish.is_satisfied:
            self.flying = wish, wish.expected

    def arrive(self) -> None:
        """The call reaches the shop; now and then its answer is lost."""
        if self.flying is None:
            return
        (wish, compare), self.flying = self.flying, None
        if compare is not None and compare != self.shop.shows:
            self.stale += 1
            self.follow(consequence(wish, Stale(found=self.shop.shows), COMPARING).desired)
            return
        if compare is not None:
            assert wish.value <= self.shop.safe + self.shop.masked, (wish, self.shop)
            self.compared += 1
        self.shop.shows = wish.value
        if self.rng.random() < self.lost:
            self.doubted = consequence(wish, Unknown(code="lost"), COMPARING).desired
        else:
            self.follow(consequence(wish, Acknowledged(), COMPARING).desired)

    def look(self) -> None:
        if self.doubted is not None:
            wish, self.doubted = self.doubted, None
            self.follow(read_back(wish, self.shop.shows, COMPARING).desired)

    def follow(self, desired: Desired) -> None:
        self.shown, self.basis = desired.shown, desired.basis


def step(shop: Shop, told: Told, rng: random.Random, cancelled: float) -> None:
    """One thing happens, somewhere."""
    match rng.randrange(9):
        case 0 | 1 if shop.shows > 0:
            shop.sell(rng.randint(1, min(2, shop.shows)))
        case 2 if shop.unbooked:
            units = shop.unbooked.pop(rng.randrange(len(shop.unbooked)))
            shop.post(units)
            shop.uncounted.append(units)
        case 3 if shop.uncounted:
            shop.count(shop.uncounted.pop(rng.randrange(len(shop.uncounted))))
        case 4:
            shop.post(-rng.randint(1, 3))  # a receipt
        case 5 if told.flying is None and shop.safe > shop.shows:
            shop.post(1)  # a sale elsewhere; one that a call has missed is another matter
        case 6 if shop.sold and rng.random() < cancelled:
            shop.cancel(shop.sold.pop())
        case 7:
            told.arrive()
            told.look()
        case _:
            told.send()


def a_history(seed: int, *, lost: float = 0.0, cancelled: float = 0.0) -> tuple[Shop, Told]:
    """A random history, and then quiet: every order heard, every call answered."""
    rng = random.Random(seed)
    shop = Shop(book=6)
    told = Told(shop, rng, lost)
    told.send()
    told.arrive()
    told.look()
    for _ in range(900):
        step(shop, told, rng, cancelled)
    told.lost = 0.0
    while shop.unbooked or shop.uncounted or told.flying or not told.wish().is_satisfied:
        for units in shop.unbooked:
            shop.post(units)
        shop.uncounted += shop.unbooked
        shop.unbooked.clear()
        for units in shop.uncounted:
            shop.count(units)
        shop.uncounted.clear()
        told.send()
        told.arrive()
        told.look()
    return shop, told


@pytest.mark.parametrize("seed", range(60))
def test_no_sale_is_erased_whatever_the_order_of_things(seed: int) -> None:
    shop, told = a_history(seed)

    assert told.compared >= 8
    assert told.stale > 5
    assert shop.book >= 0, "a unit was sold that was not there"
    assert shop.shows == shop.book, "all is heard, and something is still held back"


@pytest.mark.parametrize("seed", range(60))
def test_no_sale_is_erased_where_answers_are_lost(seed: int) -> None:
    shop, told = a_history(seed, lost=0.15)

    assert told.compared >= 8
    assert 0 <= shop.shows <= shop.book


@pytest.mark.parametrize("seed", range(60))
def test_a_cancelled_order_hides_a_sale_for_a_moment_at_most(seed: int) -> None:
    shop, told = a_history(seed, cancelled=0.3)

    assert told.compared >= 8
    assert shop.shows <= max(0, shop.book)
