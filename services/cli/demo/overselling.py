"""Overselling: units that a shop had sold when no location of its pool could serve them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from services.cli.texts import tr
from shared.contracts.allocations import Allocation

# A till's sale this long before an order's answer is what the order was too late for.
ON_THE_WAY_US = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Oversold:
    """Units of a line that its first answer from the ledger could not place, and why."""

    order_id: str
    sku: str
    units: int
    cause: str

    def __str__(self) -> str:
        return tr(
            "{order} {sku}: {units} short, {cause}",
            order=self.order_id, sku=self.sku, units=self.units, cause=self.cause,
        )  # fmt: skip


@dataclass(slots=True)
class Overselling:
    """Judges the first answer to each line; later ones tell of picks, cancellations and supply."""

    found: list[Oversold] = field(default_factory=list)
    ordered_units: int = 0
    _last_sale_us: dict[str, int] = field(default_factory=dict)
    _last_claim_us: dict[str, int] = field(default_factory=dict)

    @property
    def units(self) -> int:
        return sum(one.units for one in self.found)

    def sold(self, sku: str, at_us: int) -> None:
        """A till has sold it."""
        self._last_sale_us[sku] = at_us

    def answered(self, first: Allocation, free: Mapping[str, int], at_us: int) -> None:
        """The ledger's first word on a line; `free` is what each place had for it."""
        self.ordered_units += first.wanted
        if first.short:
            self.found.append(
                Oversold(
                    order_id=first.order_id, sku=first.sku, units=first.short,
                    cause=self._cause(first, free, at_us),
                )
            )  # fmt: skip
        self._last_claim_us[first.sku] = at_us

    def causes(self) -> Sequence[str]:
        """One sentence for each."""
        return [str(one) for one in self.found]

    def _cause(self, first: Allocation, free: Mapping[str, int], at_us: int) -> str:
        sold, claimed = (
            (at_us - told[first.sku]) if first.sku in told else None
            for told in (self._last_sale_us, self._last_claim_us)
        )
        if sum(max(0, units) for units in free.values()) >= first.wanted:
            return tr("its units lay in several places and lines are not split")
        if sold is not None and sold <= ON_THE_WAY_US:
            return tr(
                "a till had sold it {seconds:.1f} s before, while the order was on its way",
                seconds=sold / 1e6,
            )
        if claimed is not None and claimed <= ON_THE_WAY_US:
            return tr("another order had taken it {seconds:.1f} s before", seconds=claimed / 1e6)
        return tr("the shop showed what was sold longer ago: a figure came late")
