"""What is where by the logs, what is claimed of it, and what every shop should show of it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from services.cli.demo.formula import Level, available_to_sell
from services.cli.demo.world import Place
from shared.contracts.accounts import OWN, Bucket
from shared.contracts.allocations import Allocation
from shared.contracts.movements import StockMovement, accounts_of

LineKey = tuple[str, str]


@dataclass(slots=True)
class Figures:
    """Movements change what lies there, the ledger's answers to order lines what is claimed."""

    levels: dict[str, dict[str, int]] = field(default_factory=lambda: defaultdict(dict))
    claimed: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    unsourced: Counter[str] = field(default_factory=Counter)
    lines: dict[LineKey, Allocation] = field(default_factory=dict)
    shown: dict[str, int] = field(default_factory=dict)

    def open_with(self, stock: Mapping[Place, int]) -> None:
        """Begin with what lies where."""
        for (sku, location), units in stock.items():
            self.levels[sku][location] = units
        self.shown = {sku: self._figure(sku) for sku in self.levels}

    def move(self, movement: StockMovement) -> tuple[int, int]:
        """Apply a movement; returns what should be shown before and after it."""
        places = self.levels[movement.sku]
        for account, sign in zip(accounts_of(movement), (-1, 1), strict=True):
            if account.bucket is Bucket.SELLABLE and account.owner == OWN:
                units = places.get(account.location, 0)
                places[account.location] = units + sign * movement.quantity
        return self._changed(movement.sku)

    def claim(self, allocation: Allocation) -> tuple[int, int]:
        """Apply the latest word on a line; what should be shown before and after it."""
        key = allocation.order_id, allocation.line_id
        before = self.lines.get(key)
        if before is not None:
            if before.version >= allocation.version:
                return self._changed(allocation.sku)
            self._count(before, -1)
        self.lines[key] = allocation
        self._count(allocation, 1)
        return self._changed(allocation.sku)

    def free(self, sku: str, without: Allocation) -> dict[str, int]:
        """What was free at each place before this line took something."""
        own = {part.location: part.quantity for part in without.allocated}
        return {
            location: units - self.claimed[sku][location] + own.get(location, 0)
            for location, units in self.levels[sku].items()
        }

    def lowest(self, count: int) -> list[tuple[str, int]]:
        """The SKUs with the least left to sell, those with nothing left apart."""
        left = sorted((n, sku) for sku, n in self.shown.items() if n > 0)
        return [(sku, n) for n, sku in left[:count]]

    def _count(self, allocation: Allocation, sign: int) -> None:
        for part in allocation.allocated:
            self.claimed[allocation.sku][part.location] += sign * part.quantity
        if allocation.short_at is None:
            self.unsourced[allocation.sku] += sign * allocation.short

    def _changed(self, sku: str) -> tuple[int, int]:
        before = self.shown.get(sku, 0)
        after = self.shown[sku] = self._figure(sku)
        return before, after

    def _figure(self, sku: str) -> int:
        claimed, places = self.claimed[sku], self.levels[sku]
        levels = (
            Level(places.get(location, 0), 0, claimed[location]) for location in {*places, *claimed}
        )
        return available_to_sell(levels, self.unsourced[sku])
