"""Rows computed anew: what every road to a new figure ends in."""

from collections.abc import Iterable

from services.availability.domain.views import recompute
from services.availability.handlers.planning import Plans
from services.availability.repository import packing
from services.availability.repository.stock import Changes, Opened, Row


def compute(rows: Iterable[Row], plans: Plans, opened: Opened, *, inputs_changed: bool) -> Changes:
    """New views of the rows, to be recorded.

    A row whose inputs are as they were, and whose view comes out the same, isn't written.
    """
    changes = Changes()
    for row in rows:
        stock = row.stock
        plan = plans.of(stock.sku, stock.facts, opened.at)
        view = recompute(stock, plan, opened.at_us)
        packed = packing.pack_view(view, stock.levels, plan, plans.reference.version)
        if not inputs_changed and not view.changed and _says_the_same(packed, row.view):
            continue
        changes.add(stock, view.version, packed, [figure.number for figure in view.changed])
    return changes


def _says_the_same(packed: bytes, held: bytes) -> bool:
    """Equal but for the policy version that it was computed under."""
    new, old = packing.unpack_behind(packed), packing.unpack_behind(held)
    return {**new, "policies": 0} == {**old, "policies": 0}
