"""Policies: dated terms with a scope, and the one precedence that chooses between them.

SKU, then category (deepest first), then segment, then all; within it location, location group,
country, all; within it channel, then all. Two policies of equal rank for one term are refused on
entry (`rivals`); a reader that meets them all the same takes the one whose id comes first.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

Category = tuple[str, ...]
Rank = tuple[int, int, int, int]


class Term(StrEnum):
    """What a policy sets. Quantities are base units; switches are 1 or 0."""

    LOCATION_BUFFER = "location_buffer"
    KEPT_FOR_STORE = "kept_for_store"
    SILENCE_BUFFER = "silence_buffer"
    SHORT_DATED = "short_dated"
    EXPIRY_DAYS = "expiry_days"
    CLOSED = "closed"
    EXCLUDED = "excluded"
    SUSPENDED = "suspended"
    CHANNEL_BUFFER = "channel_buffer"
    SHARE_PERMILLE = "share_permille"
    MAX_LISTED = "max_listed"
    END_WHEN = "end_when"
    ORDER_LIMIT = "order_limit"
    CUSTOMER_LIMIT = "customer_limit"
    BACK_ORDER_LIMIT = "back_order_limit"
    BACK_ORDER_DAYS = "back_order_days"
    PRE_ORDER_LIMIT = "pre_order_limit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What a policy speaks of; a dimension left out speaks of all."""

    sku: str | None = None
    category: Category = ()
    segment: str | None = None
    location: str | None = None
    location_group: str | None = None
    country: str | None = None
    channel: str | None = None

    def rank(self) -> Rank:
        """The higher wins: product, depth of the category, place, channel."""
        return (*self._product(), self._place(), int(self.channel is not None))

    def _product(self) -> tuple[int, int]:
        if self.sku is not None:
            return (3, 0)
        if self.category:
            return (2, len(self.category))
        return (int(self.segment is not None), 0)

    def _place(self) -> int:
        if self.location is not None:
            return 3
        if self.location_group is not None:
            return 2
        return int(self.country is not None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """One dated record: in force from `begins` (with it) to `ends` (without it)."""

    policy_id: str
    term: Term
    value: int
    scope: Scope
    begins: datetime | None = None
    ends: datetime | None = None

    def is_in_force(self, moment: datetime) -> bool:
        """Whether the policy speaks at this moment."""
        return (self.begins is None or self.begins <= moment) and (
            self.ends is None or moment < self.ends
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """What policies ask of a SKU."""

    sku: str
    category: Category = ()
    segment: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What policies ask of a location."""

    location: str
    groups: frozenset[str] = frozenset()
    country: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contest:
    """Who spoke for one term: the winner first, then the losers in order of precedence."""

    ranked: tuple[Policy, ...] = field(default=())

    @property
    def winner(self) -> Policy | None:
        return self.ranked[0] if self.ranked else None

    @property
    def losers(self) -> tuple[Policy, ...]:
        return self.ranked[1:]

    def value_or(self, default: int) -> int:
        """The winner's value, or the term's default where nobody spoke."""
        return self.ranked[0].value if self.ranked else default


def contest(
    policies: Iterable[Policy], product: Product, place: Place | None, channel: str | None
) -> Contest:
    """Rank the policies (of one term, in force) that speak of this product, place and channel.

    Without a `place` the term is one of the channel as a whole, and a policy that names a
    location, a group or a country doesn't speak of it.
    """
    speaking = [
        policy
        for policy in policies
        if speaks_of_product(policy.scope, product)
        and _speaks_of_place(policy.scope, place)
        and policy.scope.channel in (None, channel)
    ]
    speaking.sort(key=lambda policy: policy.policy_id)
    speaking.sort(key=lambda policy: policy.scope.rank(), reverse=True)
    return Contest(ranked=tuple(speaking))


def rivals(policy: Policy, others: Sequence[Policy]) -> list[Policy]:
    """The other policies that make `policy` undecidable: same term and scope, at a common time."""
    return [
        other
        for other in others
        if other.policy_id != policy.policy_id
        and other.term is policy.term
        and other.scope == policy.scope
        and _overlap(policy, other)
    ]


def _overlap(one: Policy, other: Policy) -> bool:
    return (one.ends is None or other.begins is None or other.begins < one.ends) and (
        other.ends is None or one.begins is None or one.begins < other.ends
    )


def speaks_of_product(scope: Scope, product: Product) -> bool:
    """Whether the scope's product side names this SKU, a category above it, its segment or all."""
    if scope.sku is not None and scope.sku != product.sku:
        return False
    if scope.category and product.category[: len(scope.category)] != scope.category:
        return False
    return scope.segment is None or scope.segment == product.segment


def _speaks_of_place(scope: Scope, place: Place | None) -> bool:
    if place is None:
        return scope.location is None and scope.location_group is None and scope.country is None
    if scope.location is not None and scope.location != place.location:
        return False
    if scope.location_group is not None and scope.location_group not in place.groups:
        return False
    return scope.country is None or scope.country == place.country


def accepts(term: Term, value: int) -> bool:
    """Whether a value makes sense for a term: quantities from 0, shares up to a thousand."""
    if term in (Term.CLOSED, Term.EXCLUDED, Term.SUSPENDED):
        return value in (0, 1)
    return 0 <= value <= (1000 if term is Term.SHARE_PERMILLE else 10**9)
