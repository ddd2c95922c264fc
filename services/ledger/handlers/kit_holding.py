"""Requests to hold kits: which parts they are about, and what of a hold is a part of a kit."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import asyncpg

from services.ledger.domain.holds import made_of_at
from services.ledger.domain.requests import Outcome, Reserve, SkuStock
from services.ledger.domain.terms import MadeOf
from services.ledger.repository.kits import HeldPart


def parts_in(group: Sequence[Reserve], stocks: Mapping[str, SkuStock], now: datetime) -> list[str]:
    """The SKUs of the parts of every kit that the group asks for."""
    if not any(stock.facts.may_be_kit for stock in stocks.values()):
        return []
    wanted = {
        sku: None
        for request in group
        for wish in request.wishes
        if (stock := stocks.get(wish.sku)) is not None
        for sku, _ in made_of_at(request, stock, now)
    }
    return list(wanted)


def kit_parts_of(
    group: Sequence[Reserve], outcomes: Sequence[Outcome], stocks: Mapping[str, SkuStock]
) -> list[HeldPart]:
    """The rows of the group that hold units of a part, numbered as they are recorded."""
    found: list[HeldPart] = []
    for request, outcome in zip(group, outcomes, strict=True):
        number = 0
        for wish, line in zip(request.wishes, outcome.lines, strict=True):
            each = dict(line.made_of)
            found += [
                HeldPart(
                    hold_id=request.hold_id, part=number + place,
                    kit_sku_id=stocks[wish.sku].sku_id, per_kit=each[sku],
                )
                for place, sku in enumerate(line.skus)
                if sku in each
            ]  # fmt: skip
            number += len(line.taken) + (line.refusal is not None)
    return found


def made_of_rows(rows: Sequence[asyncpg.Record], line: int) -> tuple[MadeOf, tuple[str, ...]]:
    """What the line of a hold was made of, and the SKU of each of its rows that holds units;
    nothing where it holds units of its own SKU alone.
    """
    own = [row for row in rows if row["line"] == line and row["level_id"] is not None]
    made_of = {row["sku"]: row["per_kit"] for row in own if row["kit_sku_id"] is not None}
    if not made_of:
        return (), ()
    return tuple(made_of.items()), tuple(row["sku"] for row in own)
