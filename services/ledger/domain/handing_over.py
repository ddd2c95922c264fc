"""Units that go to whom they were held for: of which parts of the hold they are."""

from collections.abc import Sequence
from typing import NamedTuple

PartKey = tuple[str, int]


class HeldPart(NamedTuple):
    """An open part of a hold with `left` units of a SKU at a level. Of a kit's part, which kit it
    is, and how many units go into one.
    """

    hold_id: str
    part: int
    sku: str
    level_id: int
    left: int
    kit_sku: str | None = None
    per_kit: int = 0

    @property
    def key(self) -> PartKey:
        """What names the part."""
        return self.hold_id, self.part


def handed_over(
    units: int, sku: str, level_id: int | None, parts: Sequence[HeldPart]
) -> dict[PartKey, int]:
    """How many units of each of a hold's `parts` go with `units` of a SKU taken at a level.

    Those of that level go first. More than is held comes from the shelf. A kit goes as one that
    was held made up, else with so many of each of its parts.
    """
    taken = _take(units, [part for part in parts if part.sku == sku], level_id)
    kits = units - sum(taken.values())
    of_kit = [part for part in parts if part.kit_sku == sku]
    for part_sku in dict.fromkeys(part.sku for part in of_kit):
        same = [part for part in of_kit if part.sku == part_sku]
        taken |= _take(kits * same[0].per_kit, same, None)
    return taken


def _take(units: int, parts: Sequence[HeldPart], level_id: int | None) -> dict[PartKey, int]:
    found: dict[PartKey, int] = {}
    for part in sorted(parts, key=lambda part: part.level_id != level_id):
        if (taken := min(units, part.left)) > 0:
            found[part.key] = taken
            units -= taken
    return found
