"""Rows computed anew: what every road to a new figure ends in."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from services.availability.domain.views import View, recompute
from services.availability.handlers.assembling import Parts, made_for
from services.availability.handlers.planning import Plans
from services.availability.repository import packing
from services.availability.repository.stock import Changes, Opened, Row


@dataclass(slots=True)
class Computed:
    """What is to be recorded, and by row what it comes to once that is committed."""

    changes: Changes = field(default_factory=Changes)
    views: list[tuple[Row, View, bytes]] = field(default_factory=list)

    @property
    def held(self) -> Sequence[int]:
        """The versions of the rows that this was computed from, in the order of the changes."""
        return [row.stock.version for row, _, _ in self.views]

    def settle(self) -> None:
        """Give the rows what was committed."""
        for row, view, packed in self.views:
            row.stock.version, row.stock.shown, row.view = view.version, view.shown, packed


def compute(
    rows: Iterable[Row],
    plans: Plans,
    opened: Opened,
    *,
    inputs_changed: bool,
    parts: Parts | None = None,
) -> Computed:
    """New views of the rows, to be recorded. `parts` are those of the kits among them.

    A row whose inputs are as they were, and whose view comes out the same, isn't written.
    """
    computed = Computed()
    for row in rows:
        stock = row.stock
        plan = plans.of(stock.sku, stock.facts, opened.at)
        made = None
        if stock.is_in_kits:
            made = made_for(stock.facts, parts or {}, plans, plan, opened.at)
        view = recompute(stock, plan, opened.at_us, made)
        packed = packing.pack_view(view, stock.levels, plan, plans.reference.version)
        if not inputs_changed and not view.changed and _says_the_same(packed, row.view):
            continue
        numbers = [figure.number for figure in view.changed]
        computed.changes.add(stock, view.version, packed, numbers)
        computed.views.append((row, view, packed))
    return computed


def _says_the_same(packed: bytes, held: bytes) -> bool:
    """Equal but for the policy version that it was computed under."""
    new, old = packing.unpack_behind(packed), packing.unpack_behind(held)
    return {**new, "policies": 0} == {**old, "policies": 0}
