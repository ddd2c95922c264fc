"""A confirmed hold of kits: it becomes the kit's line and those of its parts."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import asyncpg

from services.ledger.domain.lines import LevelId, Line
from services.ledger.handlers.kitting import Families
from services.ledger.repository import kits
from services.ledger.repository.kits import NewPart
from services.ledger.repository.lines import Candidate, LineKey
from shared.contracts.identity import part_line_id
from shared.postgres.connecting import Connection

Rows = Sequence[asyncpg.Record]


@dataclass(slots=True)
class KitLines:
    """The kits among the lines that a hold becomes. `rows` are a kit's, by its line; `beside` the
    levels of every SKU concerned, in one order of locations.
    """

    families: Families = field(default_factory=dict)
    rows: dict[int, list[asyncpg.Record]] = field(default_factory=dict)
    beside: Mapping[int, tuple[LevelId, ...]] = field(default_factory=dict)

    @property
    def line_ids(self) -> set[int]:
        """The lines of the kits' parts."""
        return {part for family in self.families.values() for part in family.values()}

    @property
    def levels(self) -> set[LevelId]:
        """Every level that the kits may be booked at."""
        return {level for levels in self.beside.values() for level in levels}


async def find_kit_lines(
    connection: Connection, rows: Rows, keys: Sequence[LineKey], found: Mapping[LineKey, Candidate]
) -> KitLines:
    """The kits among the lines that the hold's `rows` become; lines of their parts are made."""
    made = KitLines()
    for row in rows:
        line = found[keys[row["line"]]]
        if row["kit_sku_id"] is not None or line.is_kit:
            made.rows.setdefault(line.order_line_id, [])
    if not made.rows:
        return made
    for row in rows:
        if (number := found[keys[row["line"]]].order_line_id) in made.rows:
            made.rows[number].append(row)
    parts = [
        NewPart(
            kit_line_id=found[keys[row["line"]]].order_line_id,
            line_id=part_line_id(keys[row["line"]][1], row["sku"]), sku_id=row["sku_id"],
        )
        for row in rows if row["kit_sku_id"] is not None
    ]  # fmt: skip
    await kits.ensure_parts(connection, list(dict.fromkeys(parts)))
    members = await kits.find_families(connection, made.rows)
    made.families = {number: {} for number in made.rows}
    for one in members:
        if one.part_of is not None:
            made.families[one.part_of][one.sku_id] = one.order_line_id
    held = {row["level_id"] for told in made.rows.values() for row in told}
    held |= {level for one in members for level in one.candidates}
    made.beside = await kits.levels_beside(connection, {one.sku_id for one in members}, held)
    return made


def become(lines: dict[int, Line], made: KitLines, free: dict[LevelId, int]) -> None:
    """Book the kits' lines where the hold was; their bookings are counted as taken of `free`.

    A line whose command came first is in the books already, and gets what the hold gives back as
    soon as the worker looks at what is due.
    """
    for number, rows in made.rows.items():
        kit = lines[number]
        if kit.revision >= 0:
            continue
        own = _by_level(row for row in rows if row["kit_sku_id"] is None)
        for level, units in _by_level(rows).items():
            free[level] = free.get(level, 0) - units
        of_parts = {
            sku_id: [row for row in rows if row["kit_sku_id"] and row["sku_id"] == sku_id]
            for sku_id in made.families[number]
        }
        kits_of_parts = max(
            (sum(row["quantity"] // row["per_kit"] for row in told) for told in of_parts.values()),
            default=0,
        )
        assert kit.sku_id is not None, kit
        lines[number] = kit = replace(
            kit, wanted=kit.wanted + sum(own.values()) + kits_of_parts, may_split=True,
            in_parts=kit.in_parts + kits_of_parts, is_kit=True, booked=_sum(kit.booked, own),
            candidates=made.beside[kit.sku_id],
        )  # fmt: skip
        for sku_id, told in of_parts.items():
            part = lines[made.families[number][sku_id]]
            per_kit = told[0]["per_kit"] if told else part.per_kit
            lines[part.order_line_id] = replace(
                part, per_kit=per_kit, wanted=per_kit * kit.in_parts, kit_sku_id=kit.sku_id,
                booked=_sum(part.booked, _by_level(told)), candidates=made.beside[sku_id],
                accepted_at=kit.accepted_at,
            )  # fmt: skip


def _by_level(rows: Iterable[asyncpg.Record]) -> dict[LevelId, int]:
    found: dict[LevelId, int] = {}
    for row in rows:
        found[row["level_id"]] = found.get(row["level_id"], 0) + row["quantity"]
    return found


def _sum(one: Mapping[LevelId, int], other: Mapping[LevelId, int]) -> dict[LevelId, int]:
    return {level: one.get(level, 0) + other.get(level, 0) for level in {**one, **other}}
