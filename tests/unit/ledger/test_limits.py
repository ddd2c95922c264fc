"""How much of a SKU one order may have."""

from services.ledger.domain.refusals import RefusalReason
from services.ledger.domain.terms import TermBook
from shared.stock.policies import Term
from tests.unit.ledger.test_holds import (
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
