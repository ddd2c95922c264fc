"""The worker's cache of plans: right for one policy version and until the next moment it names."""

from datetime import datetime

from services.availability.domain.facts import Facts
from services.availability.domain.plans import Plan, plan_for
from services.availability.domain.reference import Reference, boundaries
from services.availability.handlers.translating import reference_of
from services.availability.repository import reference as records
from services.availability.repository.stock import Opened
from shared.postgres.connecting import Connection
from shared.stock.policies import Category, Product

PLANS_MAX = 2_000

PlanKey = tuple[Category, str | None, bool]


class Plans:
    """Plans under one policy version, valid from `since` until `until` (without it)."""

    def __init__(self, reference: Reference, moment: datetime) -> None:
        self.reference = reference
        self._since = moment
        self.until = min((at for at in boundaries(reference) if at > moment), default=None)
        self._kept: dict[PlanKey, Plan] = {}

    def holds(self, opened: Opened) -> bool:
        """Whether these plans are right in this transaction."""
        return (
            self.reference.version == opened.policy_version
            and self._since <= opened.at
            and (self.until is None or opened.at < self.until)
        )

    def of(self, sku: str, facts: Facts, moment: datetime) -> Plan:
        """The plan of one SKU. A SKU with policies of its own has a plan of its own."""
        life = facts.life_at(moment)
        is_closed = life.is_closed(moment)
        if facts.policies:
            product = Product(sku=sku, category=life.category, segment=life.segment)
            own = tuple(facts.policies.values())
            return plan_for(self.reference, product, own, moment, is_closed=is_closed)
        key = (life.category, life.segment, is_closed)
        plan = self._kept.get(key)
        if plan is None:
            if len(self._kept) >= PLANS_MAX:
                self._kept.clear()
            product = Product(sku="", category=life.category, segment=life.segment)
            plan = plan_for(self.reference, product, (), moment, is_closed=is_closed)
            self._kept[key] = plan
        return plan


class PlanCache:
    """Hands out plans that are right in a transaction; remembers those of committed ones."""

    def __init__(self) -> None:
        self._plans: Plans | None = None

    @property
    def latest(self) -> Plans | None:
        """Those that the last transaction used."""
        return self._plans

    async def at(self, connection: Connection, opened: Opened) -> Plans:
        """Plans for this transaction, loaded in it when the ones remembered aren't right."""
        if self._plans is not None and self._plans.holds(opened):
            return self._plans
        return await load(connection, opened)

    def adopt(self, plans: Plans) -> None:
        """Remember what a transaction used, now that it has committed."""
        self._plans = plans


async def load(connection: Connection, opened: Opened) -> Plans:
    """The reference data as this transaction sees it."""
    numbers = await records.channel_numbers(connection)
    found = await records.shared_records(connection)
    return Plans(reference_of(found, numbers, opened.policy_version), opened.at)
