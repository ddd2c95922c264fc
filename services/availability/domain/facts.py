"""What is known of one SKU beside its levels: the product's dated records, its own policies."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import NamedTuple

from shared.stock.policies import Category, Policy

ALWAYS = datetime(1, 1, 1, tzinfo=UTC)


class Part(NamedTuple):
    """A part of a kit: `quantity` base units of it go into one."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One dated product record; two with another `begins` stand side by side."""

    revision: int = 0
    begins: datetime | None = None
    ends: datetime | None = None
    is_deleted: bool = False
    category: Category = ()
    segment: str | None = None
    sold_from: datetime | None = None
    sold_until: datetime | None = None
    is_recalled: bool = False
    kit: tuple[Part, ...] = ()

    def is_closed(self, moment: datetime) -> bool:
        """Not sold through any channel at this moment."""
        return (
            self.is_recalled
            or (self.sold_from is not None and moment < self.sold_from)
            or (self.sold_until is not None and moment >= self.sold_until)
        )


UNKNOWN = Life()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """A SKU's facts, folded. `policies` are those whose scope names this SKU, by their id."""

    lives: Mapping[datetime, Life] = field(default_factory=dict)
    policies: Mapping[str, Policy] = field(default_factory=dict)

    def with_life(self, told: Life) -> "Facts":
        """The facts after a product record: the higher revision wins, of equals the later told."""
        begins = told.begins or ALWAYS
        held = self.lives.get(begins)
        if held is not None and held.revision > told.revision:
            return self
        return replace(self, lives={**self.lives, begins: told})

    def with_policy(self, told: Policy) -> "Facts":
        """The facts with this policy of the SKU."""
        return replace(self, policies={**self.policies, told.policy_id: told})

    def without_policy(self, policy_id: str) -> "Facts":
        """The facts after a policy was taken back, or given another scope."""
        kept = {name: policy for name, policy in self.policies.items() if name != policy_id}
        return replace(self, policies=kept)

    def life_at(self, moment: datetime) -> Life:
        """The product record in force: of those that hold, the one that began last."""
        for begins in sorted(self.lives, reverse=True):
            life = self.lives[begins]
            ended = life.ends is not None and moment >= life.ends
            if begins <= moment and not ended and not life.is_deleted:
                return life
        return UNKNOWN

    def parts(self) -> set[str]:
        """Every SKU that goes into this one by any of its records, whenever that holds."""
        return {part.sku for life in self.lives.values() for part in life.kit}

    def boundaries(self) -> Iterable[datetime]:
        """Every moment at which these facts say something else by time alone."""
        for life in self.lives.values():
            moments = (life.begins, life.ends, life.sold_from, life.sold_until)
            yield from (at for at in moments if at is not None)
        for policy in self.policies.values():
            yield from (at for at in (policy.begins, policy.ends) if at is not None)


NOTHING_KNOWN = Facts()
