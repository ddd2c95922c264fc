"""Why a request is refused: each reason in its place before the others."""

import pytest

from services.ledger.domain.refusals import PRECEDENCE, RefusalReason
from services.ledger.domain.requests import Reserve
from services.ledger.domain.terms import Life
from services.ledger.domain.waiting import Outlook
from shared.contracts import holds as contracts
from shared.stock.policies import Policy, Term
from tests.unit.ledger.test_holds import (
    CLOSED,
    HOUR,
    NOW,
    SUSPENDED,
    R,
    a_book,
    a_policy,
    a_request,
    a_stock,
    a_wish,
    decided,
    refusals,
)

EXCLUDED = a_policy(Term.EXCLUDED, 1, location="A")
LIMIT = a_policy(Term.ORDER_LIMIT, 4)
PER_CUSTOMER = a_policy(Term.CUSTOMER_LIMIT, 4)
PRE_ORDER = a_policy(Term.PRE_ORDER_LIMIT, 4)
BACK_ORDER = a_policy(Term.BACK_ORDER_LIMIT, 2)
IN_TIME = a_policy(Term.BACK_ORDER_DAYS, 1)
STARTS_LATER = Life(sold_from=NOW + HOUR)

# Each row meets its own reason and every one behind it: whoever reorders them fails here.
WALK = [
    pytest.param(
        a_request(a_wish(9, "A", sku="none"), channel="none"), (), {}, R.UNKNOWN_SKU, 0,
        id="a_sku_that_nobody_knows",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), channel="none"), (CLOSED,), {"life": STARTS_LATER},
        R.UNKNOWN_CHANNEL, 0, id="a_channel_that_nobody_knows",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), channel="gone"), (CLOSED,), {"life": STARTS_LATER},
        R.CHANNEL_CLOSED, 0, id="a_channel_that_has_ended",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (CLOSED,), {"life": STARTS_LATER}, R.SKU_CLOSED, 0,
        id="a_sku_that_is_not_sold_yet",
    ),
    pytest.param(
        a_request(a_wish(9, "X"), channel=None), (CLOSED,), {}, R.UNKNOWN_LOCATION, 0,
        id="a_location_that_nobody_knows",
    ),
    pytest.param(
        a_request(a_wish(9, "C", "A")), (CLOSED,), {}, R.LOCATION_NOT_OF_CHANNEL, 0,
        id="a_location_outside_the_pool",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (CLOSED, EXCLUDED, SUSPENDED), {}, R.LOCATION_CLOSED, 0,
        id="a_closed_location",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (EXCLUDED, SUSPENDED), {}, R.LOCATION_EXCLUDED, 0,
        id="an_excluded_location",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), method="in_store"), (SUSPENDED,), {},
        R.LOCATION_SUSPENDED, 0, id="a_suspended_location",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), method="in_store"), (), {}, R.LOCATION_NOT_ABLE, 0,
        id="a_method_that_is_not_the_channels",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (LIMIT,), {"unsourced": 3}, R.EXCEEDS_ORDER_LIMIT, 4,
        id="more_than_one_order_may_have",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (PER_CUSTOMER,), {"unsourced": 3}, R.EXCEEDS_CUSTOMER_LIMIT, 4,
        id="more_than_one_customer_may_have",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), may_wait=True), (PRE_ORDER, BACK_ORDER, IN_TIME),
        {"life": STARTS_LATER, "outlook": Outlook()}, R.EXCEEDS_PRE_ORDER_LIMIT, 4,
        id="more_than_may_be_pre_ordered",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), may_wait=True), (BACK_ORDER,), {"outlook": Outlook()},
        R.EXCEEDS_BACK_ORDER_LIMIT, 7, id="more_than_may_be_owed",
    ),
    pytest.param(
        a_request(a_wish(9, "A"), may_wait=True), (BACK_ORDER, IN_TIME), {"outlook": Outlook()},
        R.NOT_EXPECTED_IN_TIME, 5, id="more_than_comes_in_time",
    ),
    pytest.param(
        a_request(a_wish(9, "A")), (), {"unsourced": 3}, R.QUANTITY_EXCEEDS_OFFERED, 5,
        id="more_than_the_place_offers",
    ),
    pytest.param(
        a_request(a_wish(8)), (), {"unsourced": 3}, R.QUANTITY_EXCEEDS_POOL, 7,
        id="more_than_is_not_owed",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("request_", "policies", "stock", "reason", "possible"), WALK)
def test_of_several_reasons_the_first_is_told(
    request_: Reserve,
    policies: tuple[Policy, ...],
    stock: dict[str, object],
    reason: RefusalReason,
    possible: int,
) -> None:
    seen = a_stock(A=5, B=5, **stock)  # type: ignore[arg-type]  # the row's overrides

    (outcome,) = decided(request_, stock=seen, book=a_book(*policies))

    assert refusals(outcome) == [(reason, request_.wishes[0].quantity, possible)]


def test_the_walk_follows_the_reasons_one_by_one() -> None:
    walked = [row.values[3] for row in WALK]

    assert walked == list(RefusalReason)[:-1]
    assert list(PRECEDENCE) == list(RefusalReason)


def test_the_contract_names_the_same_reasons_in_the_same_order() -> None:
    assert [one.value for one in contracts.RefusalReason] == [one.value for one in RefusalReason]
