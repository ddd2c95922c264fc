"""How much of a SKU one order, and one customer, may have."""

from dataclasses import replace
from datetime import datetime, timedelta

from services.ledger.domain.fences import Whom
from services.ledger.domain.limits import Had
from services.ledger.domain.refusals import RefusalReason
from services.ledger.domain.terms import TermBook
from shared.stock.policies import Term
from tests.unit.ledger.test_holds import (
    NOW,
    a_book,
    a_policy,
    a_request,
    a_stock,
    a_wish,
    decided,
    refusals,
    taken,
)


def limited(units: int) -> TermBook:
    return a_book(a_policy(Term.ORDER_LIMIT, units))


def test_an_order_gets_no_more_of_a_sku_than_its_limit() -> None:
    stock = a_stock(A=9)

    (within,) = decided(a_request(a_wish(3)), stock=stock, book=limited(3))
    (beyond,) = decided(a_request(a_wish(4)), stock=stock, book=limited(3))
    (some,) = decided(a_request(a_wish(4), takes_what_there_is=True), stock=stock, book=limited(3))

    assert within.is_whole
    assert refusals(beyond) == [(RefusalReason.EXCEEDS_ORDER_LIMIT, 4, 3)]
    assert taken(some) == [{"A": 3}]
    assert refusals(some) == [(RefusalReason.EXCEEDS_ORDER_LIMIT, 1, 3)]


def test_lines_of_one_cart_count_together_against_the_limit() -> None:
    cart = a_request(a_wish(2), a_wish(2), takes_what_there_is=True)

    (some,) = decided(cart, stock=a_stock(A=9), book=limited(3))

    assert taken(some) == [{"A": 2}, {"A": 1}]


def test_a_limit_says_how_many_there_would_have_been() -> None:
    (beyond,) = decided(a_request(a_wish(4)), stock=a_stock(A=2), book=limited(3))

    assert refusals(beyond) == [(RefusalReason.EXCEEDS_ORDER_LIMIT, 4, 2)]


def test_a_limit_binds_no_transfer() -> None:
    (moved,) = decided(
        a_request(a_wish(4, "A"), purpose="transfer"), stock=a_stock(A=9), book=limited(3)
    )

    assert moved.is_whole


ANNA = Whom("web", customer_ref="anna")
YESTERDAY = NOW - timedelta(days=1)


def per_customer(units: int, begins: datetime | None = None) -> TermBook:
    return a_book(replace(a_policy(Term.CUSTOMER_LIMIT, units), begins=begins))


def test_what_a_customer_has_already_counts_against_the_limit() -> None:
    stock = replace(a_stock(A=9), had={"anna": (Had(YESTERDAY, 2),), "ben": (Had(NOW, 9),)})

    (beyond,) = decided(a_request(a_wish(2), whom=ANNA), stock=stock, book=per_customer(3))
    (rest,) = decided(a_request(a_wish(1), whom=ANNA), stock=stock, book=per_customer(3))
    (none,) = decided(a_request(a_wish(1), whom=ANNA), stock=stock, book=per_customer(2))

    assert refusals(beyond) == [(RefusalReason.EXCEEDS_CUSTOMER_LIMIT, 2, 1)]
    assert rest.is_whole
    assert refusals(none) == [(RefusalReason.EXCEEDS_CUSTOMER_LIMIT, 1, 0)]


def test_two_requests_of_one_customer_in_a_group_count_together() -> None:
    request = a_request(a_wish(2), whom=ANNA)

    first, second, other = decided(
        request, request._replace(hold_id="h2"),
        request._replace(hold_id="h3", whom=Whom("web", customer_ref="ben")),
        stock=a_stock(A=9), book=per_customer(3),
    )  # fmt: skip

    assert first.is_whole
    assert refusals(second) == [(RefusalReason.EXCEEDS_CUSTOMER_LIMIT, 2, 1)]
    assert other.is_whole


def test_what_a_customer_had_before_the_limit_began_does_not_count() -> None:
    stock = replace(a_stock(A=9), had={"anna": (Had(YESTERDAY, 2),)})

    (held,) = decided(
        a_request(a_wish(2), whom=ANNA), stock=stock,
        book=per_customer(2, begins=NOW - timedelta(hours=1)),
    )  # fmt: skip

    assert held.is_whole


def test_of_both_limits_the_tighter_binds_and_is_told() -> None:
    book = a_book(a_policy(Term.ORDER_LIMIT, 3), a_policy(Term.CUSTOMER_LIMIT, 4))
    stock = replace(a_stock(A=9), had={"anna": (Had(NOW, 2),)})

    (new, old) = (
        decided(a_request(a_wish(5)), stock=stock, book=book)[0],
        decided(a_request(a_wish(5), whom=ANNA), stock=stock, book=book)[0],
    )

    assert refusals(new) == [(RefusalReason.EXCEEDS_ORDER_LIMIT, 5, 3)]
    assert refusals(old) == [(RefusalReason.EXCEEDS_CUSTOMER_LIMIT, 5, 2)]
