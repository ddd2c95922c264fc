"""Holds whose units are taken in their name: found by their ids, and taken of their parts."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from services.ledger.domain.handing_over import HeldPart, PartKey
from services.ledger.repository.holds import MOVED
from services.ledger.repository.lines import LineKey
from shared.postgres.connecting import Connection

FIND = """
select h.hold_id, h.part, s.sku, h.level_id, h.quantity - h.used as units, k.sku as kit_sku,
       coalesce(h.per_kit, 0) as per_kit, o.order_id, o.line_id
from ledger.holds h join ledger.skus s using (sku_id)
left join ledger.skus k on k.sku_id = h.kit_sku_id
left join ledger.order_lines o on h.outcome = 'confirmed' and o.order_line_id = h.order_line_id
where h.hold_id = any($1::text[]) and h.level_id is not null
  and (h.settled_at is null or h.outcome = 'confirmed')
order by h.hold_id, h.part
"""
# The levels are locked. What a hold had taken of a fence stays taken of it.
TAKE = f"""
with chosen as materialized (
    select h.hold_id, h.part, h.level_id, least(i.units, h.quantity - h.used) as units
    from ledger.holds h
    join unnest($2::text[], $3::smallint[], $4::bigint[]) i(hold_id, part, units)
        using (hold_id, part)
    where h.settled_at is null order by h.hold_id, h.part for update of h),
taken as (
    update ledger.holds h set used = h.used + c.units,
        settled_at = case when h.used + c.units = h.quantity then $1::timestamptz end,
        outcome = case when h.used + c.units = h.quantity then 'taken' end
    from chosen c where h.hold_id = c.hold_id and h.part = c.part),
changed as (select level_id, -units as delta from chosen),
{MOVED}
select count(*) from chosen
"""  # noqa: S608  (only our own constant is put into the text)


@dataclass(slots=True)
class Named:
    """The holds that movements name: what of them is open, and lines that they have become."""

    parts: dict[str, list[HeldPart]] = field(default_factory=dict)
    lines: dict[tuple[str, str], LineKey] = field(default_factory=dict)  # by hold and SKU

    @property
    def levels(self) -> set[int]:
        """Where units are held."""
        return {part.level_id for parts in self.parts.values() for part in parts}


async def find(connection: Connection, hold_ids: Collection[str]) -> Named:
    """The holds with these ids."""
    named = Named()
    for row in await connection.fetch(FIND, list(hold_ids)):
        if row["order_id"] is None:
            named.parts.setdefault(row["hold_id"], []).append(HeldPart(*row[:7]))
            continue
        line = row["order_id"], row["line_id"].partition("|")[0]  # a part's line names its kit's
        for sku in filter(None, (row["sku"], row["kit_sku"])):
            named.lines[row["hold_id"], sku] = line
    return named


async def take(connection: Connection, now: datetime, taken: Mapping[PartKey, int]) -> None:
    """Units of these parts have gone to whom they were held for."""
    if taken:
        await connection.execute(
            TAKE, now, [hold_id for hold_id, _ in taken], [part for _, part in taken],
            list(taken.values()),
        )  # fmt: skip
