"""How much of a SKU one order, and one customer, may have."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from services.ledger.domain.refusals import RefusalReason
from services.ledger.domain.terms import Terms

# What limits bind: units that a customer gets.
LIMITED = frozenset({"cart", "order", "in_store"})


class Had(NamedTuple):
    """Units that a customer has been given, since `at`: held still, confirmed or taken."""

    at: datetime
    units: int


class Limit(NamedTuple):
    """At most so many units more, ≥ 0, and why no more."""

    most: int
    reason: RefusalReason


def limit_of(
    terms: Terms, purpose: str, had: Sequence[Had], before: int, claimed: int = 0
) -> Limit | None:
    """What binds a line whose request has `before` units already; None where nothing does.

    A customer's limit counts what the customer has been given while it is in force. Before a sale
    begins, `claimed` units are pre-ordered. Of those that bind as much, the order's is told, then
    the customer's.
    """
    if purpose not in LIMITED:
        return None
    limits: list[Limit] = []
    if terms.order_limit is not None:
        limits.append(Limit(terms.order_limit - before, RefusalReason.EXCEEDS_ORDER_LIMIT))
    if (policy := terms.customer_limit) is not None:
        counted = sum(one.units for one in had if policy.begins is None or policy.begins <= one.at)
        most = policy.value - counted - before
        limits.append(Limit(most, RefusalReason.EXCEEDS_CUSTOMER_LIMIT))
    if terms.opens_at is not None:
        most = terms.pre_order_limit - claimed
        limits.append(Limit(most, RefusalReason.EXCEEDS_PRE_ORDER_LIMIT))
    if not limits:
        return None
    tightest = min(limits, key=lambda limit: limit.most)
    return tightest._replace(most=max(0, tightest.most))
