"""Who gets what: reasons in their order of precedence, carts, splits, and the greedy order."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ledger.domain.holds import decide_all
from services.ledger.domain.offers import Stand
from services.ledger.domain.refusals import RefusalReason
from services.ledger.domain.requests import Outcome, Reserve, SkuStock, Wish
from services.ledger.domain.terms import Channel, Life, Location, Reference, SkuFacts, TermBook
from services.ledger.domain.waiting import Outlook
from shared.stock.policies import Place, Policy, Scope, Term

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def a_policy(term: Term, value: int, **scope: object) -> Policy:
    return Policy(
        policy_id=f"{term}-{scope}", term=term, value=value,
        scope=Scope(**scope),  # type: ignore[arg-type]  # the builder's overrides
    )  # fmt: skip


def a_book(*policies: Policy) -> TermBook:
    """Locations A, B and C; a web shop over A and B, and the till of A."""
    web = Channel(channel="web", pool=("A", "B"), methods=("home", "collect"))
    till = Channel(channel="till", pool=("A",), own_till="A")
    return TermBook(
        Reference(
            version=1,
            locations={name: [Location(place=Place(location=name))] for name in "ABC"},
            channels={
                "web": [web],
                "till": [till],
                "gone": [Channel(channel="gone", pool=("A",), ends=NOW - HOUR)],
            },
            policies=policies,
        ),
        NOW,
    )


def a_stock(
    *,
    unsourced: int = 0,
    life: Life | None = None,
    sku: str = "S",
    outlook: Outlook | None = None,
    **free: int,
) -> SkuStock:
    """Units at A, B and C; a negative figure is owed to orders."""
    levels = {
        name: Stand(place, 1, max(0, units), 0, max(0, -units))
        for place, (name, units) in enumerate(free.items(), start=10 * ord(sku[0]))
    }
    facts = SkuFacts(sku=sku, lives=() if life is None else (life,))
    return SkuStock(
        sku_id=ord(sku[0]), facts=facts, levels=levels, unsourced=unsourced, outlook=outlook
    )


def a_wish(quantity: int = 1, *locations: str, sku: str = "S", may_split: bool = True) -> Wish:
    return Wish(sku=sku, quantity=quantity, locations=locations, may_split=may_split)


def a_request(*wishes: Wish, **overrides: object) -> Reserve:
    request = Reserve("h", b"", "cart", wishes or (a_wish(),), channel="web")
    return request._replace(**overrides)  # type: ignore[arg-type]  # the builder's overrides


def decided(
    *requests: Reserve, stock: SkuStock | Mapping[str, SkuStock], book: TermBook | None = None
) -> list[Outcome]:
    stocks = {"S": stock} if isinstance(stock, SkuStock) else stock
    return decide_all(requests, stocks, book or a_book(), NOW)


def taken(outcome: Outcome) -> list[dict[str, int]]:
    return [{one.location: one.quantity for one in line.taken} for line in outcome.lines]


def refusals(outcome: Outcome) -> list[tuple[RefusalReason, int, int] | None]:
    return [None if line.refusal is None else tuple(line.refusal) for line in outcome.lines]  # type: ignore[misc]  # a named tuple's fields


R = RefusalReason
CLOSED = a_policy(Term.CLOSED, 1, location="A")
SUSPENDED = a_policy(Term.SUSPENDED, 1, location="A")


def test_a_running_sum_that_counts_the_refused_would_refuse_the_third() -> None:
    asked = [a_request(a_wish(quantity)) for quantity in (3, 4, 2)]

    outcomes = decided(*asked, stock=a_stock(A=5))

    assert [outcome.is_held for outcome in outcomes] == [True, False, True]


@pytest.mark.parametrize(
    ("wish", "free", "held"),
    [
        pytest.param(a_wish(3), {"A": 5, "B": 5}, {"A": 3}, id="the_first_that_serves_it_whole"),
        pytest.param(a_wish(3), {"A": 2, "B": 3}, {"B": 3}, id="whole_goes_before_split"),
        pytest.param(a_wish(4), {"A": 2, "B": 3}, {"A": 2, "B": 2}, id="split_in_the_pools_order"),
        pytest.param(a_wish(4, "B", "A"), {"A": 3, "B": 3}, {"B": 3, "A": 1}, id="a_list_in_its"),
        pytest.param(a_wish(2, "B"), {"A": 5, "B": 2}, {"B": 2}, id="the_place_that_is_named"),
    ],
)
def test_a_line_is_held_where_it_can_be(
    wish: Wish, free: dict[str, int], held: dict[str, int]
) -> None:
    (outcome,) = decided(a_request(wish), stock=a_stock(**free))  # type: ignore[arg-type]  # units by location, no other keyword

    assert taken(outcome) == [held]


@pytest.mark.parametrize(
    ("policies", "channel", "possible"),
    [
        pytest.param((), "web", 5, id="no_policy"),
        pytest.param(
            (a_policy(Term.LOCATION_BUFFER, 1), a_policy(Term.KEPT_FOR_STORE, 3)), "web", 2,
            id="buffers_combine_by_the_larger",
        ),
        pytest.param((a_policy(Term.SILENCE_BUFFER, 4),), "web", 1, id="a_silent_source"),
        pytest.param((a_policy(Term.KEPT_FOR_STORE, 3),), "till", 5, id="the_own_till_is_free"),
        pytest.param((SUSPENDED,), "till", 5, id="and_sells_what_is_suspended_at_a_distance"),
        pytest.param((a_policy(Term.CHANNEL_BUFFER, 2),), "web", 3, id="what_the_channel_keeps"),
        pytest.param((a_policy(Term.MAX_LISTED, 1),), "web", 5, id="what_only_shapes_the_view"),
        pytest.param((a_policy(Term.SHARE_PERMILLE, 1),), "web", 5, id="a_share_shapes_it_too"),
        pytest.param((a_policy(Term.END_WHEN, 9),), "web", 5, id="and_so_does_end_when"),
    ],
)  # fmt: skip
def test_a_request_meets_the_terms_of_the_view(
    policies: tuple[Policy, ...], channel: str, possible: int
) -> None:
    book, stock = a_book(*policies), a_stock(A=5)

    (most,) = decided(a_request(a_wish(possible), channel=channel), stock=stock, book=book)
    (more,) = decided(a_request(a_wish(possible + 1), channel=channel), stock=stock, book=book)

    assert most.is_whole
    assert [line.refusal and line.refusal.possible for line in more.lines] == [possible]


def test_what_one_place_owes_is_not_offered_at_another() -> None:
    stock = a_stock(A=-2, B=5)

    outcomes = decided(a_request(a_wish(2)), a_request(a_wish(2)), stock=stock)

    assert [taken(one) for one in outcomes] == [[{"B": 2}], [{}]]
    assert refusals(outcomes[1]) == [(R.QUANTITY_EXCEEDS_POOL, 2, 1)]


def test_a_book_made_negative_by_sales_owes_nobody() -> None:
    oversold = SkuStock(
        sku_id=1, facts=SkuFacts(sku="S"),
        levels={"A": Stand(1, 1, -3, 0, 0), "B": Stand(2, 1, 5, 0, 0)},
    )  # fmt: skip

    (outcome,) = decided(a_request(a_wish(5)), stock=oversold)

    assert taken(outcome) == [{"B": 5}]


def test_a_cart_counts_its_lines_of_one_sku_together() -> None:
    (outcome,) = decided(a_request(a_wish(3), a_wish(3)), stock=a_stock(A=5))

    assert not outcome.is_held
    assert refusals(outcome) == [
        (R.ANOTHER_LINE_REFUSED, 3, 3), (R.QUANTITY_EXCEEDS_OFFERED, 3, 2),
    ]  # fmt: skip


def test_a_refused_cart_takes_nothing_from_the_next() -> None:
    cart = a_request(a_wish(4), a_wish(9, sku="T"))
    stocks = {"S": a_stock(A=5), "T": a_stock(sku="T", A=1)}

    outcomes = decided(cart, a_request(a_wish(5)), stock=stocks)

    assert [one.is_held for one in outcomes] == [False, True]


def test_the_line_with_fewer_places_is_served_first() -> None:
    (outcome,) = decided(a_request(a_wish(3), a_wish(3, "A")), stock=a_stock(A=3, B=3))

    assert taken(outcome) == [{"B": 3}, {"A": 3}]


@pytest.mark.parametrize(
    ("wish", "held"),
    [
        pytest.param(a_wish(9), {"A": 2, "B": 3}, id="from_every_place"),
        pytest.param(a_wish(9, may_split=False), {"B": 3}, id="from_the_place_that_has_most"),
    ],
)
def test_a_partial_request_takes_what_there_is(wish: Wish, held: dict[str, int]) -> None:
    (outcome,) = decided(a_request(wish, takes_what_there_is=True), stock=a_stock(A=2, B=3))

    assert taken(outcome) == [held]
    possible = sum(held.values())
    assert refusals(outcome) == [(R.QUANTITY_EXCEEDS_OFFERED, 9 - possible, possible)]


def test_a_recall_takes_what_no_channel_may_have() -> None:
    book = a_book(CLOSED, a_policy(Term.LOCATION_BUFFER, 9))

    (outcome,) = decided(
        a_request(a_wish(5, "A"), purpose="recall", channel=None), stock=a_stock(A=5), book=book
    )

    assert taken(outcome) == [{"A": 5}]


def test_terms_are_those_of_the_moment() -> None:
    tomorrow = replace(CLOSED, begins=NOW + HOUR)
    book = a_book(tomorrow)

    assert book.holds(1, NOW)
    assert not book.holds(1, NOW + HOUR)
    assert not book.holds(2, NOW)


REQUESTS = st.lists(
    st.builds(
        lambda wishes, partial: a_request(*wishes, takes_what_there_is=partial),
        st.lists(
            st.builds(
                lambda sku, quantity, places, may_split: a_wish(
                    quantity, *places, sku=sku, may_split=may_split
                ),
                st.sampled_from(["S", "T"]),
                st.integers(1, 6),
                st.sampled_from([(), ("A",), ("B", "A")]),
                st.booleans(),
            ),
            min_size=1, max_size=3,
        ),
        st.booleans(),
    ),
    max_size=8,
)  # fmt: skip
FREE = st.fixed_dictionaries({"A": st.integers(-3, 9), "B": st.integers(-3, 9)})


@given(
    requests=REQUESTS, free=FREE, other=FREE, unsourced=st.integers(0, 2), buffer=st.integers(0, 3)
)
def test_whatever_is_asked_nothing_is_oversold_and_nothing_undersold(
    requests: list[Reserve],
    free: dict[str, int],
    other: dict[str, int],
    unsourced: int,
    buffer: int,
) -> None:
    book = a_book(a_policy(Term.LOCATION_BUFFER, buffer, location="A"))
    stocks = {
        "S": a_stock(unsourced=unsourced, **free),  # type: ignore[arg-type]  # units by location
        "T": a_stock(sku="T", **other),  # type: ignore[arg-type]  # as above
    }

    outcomes = decided(*requests, stock=stocks, book=book)

    model = {
        "S": Shelf(free, {"A": buffer, "B": 0}, unsourced),
        "T": Shelf(other, {"A": buffer, "B": 0}, 0),
    }
    for request, outcome in zip(requests, outcomes, strict=True):
        for wish, line in zip(request.wishes, outcome.lines, strict=True):
            held = {one.location: one.quantity for one in line.taken}
            model[wish.sku].take(held)
            missing = 0 if line.refusal is None else line.refusal.quantity
            assert sum(held.values()) + missing == wish.quantity
            assert wish.may_split or len(held) <= 1
        if not request.takes_what_there_is:
            assert outcome.is_whole or not outcome.is_held
        if not outcome.is_whole and len(request.wishes) == 1:
            wish = request.wishes[0]
            places = wish.locations or ("A", "B")
            shelf = model[wish.sku]
            if wish.may_split:
                assert shelf.most(places) < (1 if outcome.is_held else wish.quantity)
            else:
                assert all(shelf.most((place,)) < wish.quantity for place in places)


class Shelf:
    """An independent model of one SKU: what is left at each place, and what the pool owes."""

    def __init__(self, free: Mapping[str, int], buffers: Mapping[str, int], owed: int) -> None:
        self.left = {place: max(0, free[place] - buffers[place]) for place in free}
        self.pool = sum(self.left.values()) - owed - sum(max(0, -units) for units in free.values())

    def take(self, held: Mapping[str, int]) -> None:
        for place, units in held.items():
            self.left[place] -= units
            self.pool -= units
            assert self.left[place] >= 0, "oversold at a place"
        assert not held or self.pool >= 0, "sold what is owed"

    def most(self, places: tuple[str, ...]) -> int:
        return max(0, min(self.pool, sum(self.left[place] for place in places)))
