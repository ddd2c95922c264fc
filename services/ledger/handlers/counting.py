"""Counts as they are told: each with its variance, its value, and whether to count again."""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import asyncpg

from services.ledger.domain.costing import Entity, State
from services.ledger.domain.counting import Summary, Threshold, Variance
from services.ledger.repository.costs import states_in


def variance_of(row: asyncpg.Record, entities: Mapping[str, Entity]) -> Variance:
    """A count's variance, with the average cost that the place's legal entity had then."""
    entity = entities.get(row["location"], "")
    held = states_in(row["states"]).get(entity, State()) if row["states"] else State()
    return Variance(
        counted=row["counted"], variance=row["variance"], unit_cost=held.unit_cost,
        currency=held.currency,
    )  # fmt: skip


def count_told(row: asyncpg.Record, found: Variance, threshold: Threshold) -> dict[str, object]:
    """One count as JSON; money is text. Once it is closed, what comes `late` is told apart."""
    return {
        "event_id": row["event_id"], "sku": row["sku"], "location": row["location"],
        "bucket": row["bucket"], "at": row["at"], "recorded_at": row["recorded_at"],
        "source": row["source"], "document": _json(row["document"]),
        "reason": _json(row["reason"]), "counted": found.counted,
        "book": found.counted - found.variance, "variance": found.variance,
        "value": _text(found.value), "currency": found.currency,
        "recount": found.wants_recount(threshold), "closed_at": row["closed_at"],
        "late": row["late"],
    }  # fmt: skip


def summary_told(summary: Summary) -> dict[str, object]:
    """What several counts come to."""
    accuracy = summary.accuracy
    return {
        "counts": summary.counts, "found": summary.found, "missing": summary.missing,
        "values": {name: _text(value) for name, value in sorted(summary.values.items())},
        "accuracy": None if accuracy is None else round(accuracy, 4),
    }  # fmt: skip


def csv_of(skus: Sequence[str], location: str) -> str:
    """A count sheet to fill in: the file that `stocktide import counts` takes."""
    lines = [f"{_cell(sku)},{_cell(location)}," for sku in skus]
    return "".join(f"{line}\r\n" for line in ("sku,location,quantity", *lines))


def _cell(text: str) -> str:
    quoted = text.replace('"', '""')
    return f'"{quoted}"' if any(mark in text for mark in ',;"\t\r\n') else text


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value.quantize(Decimal("0.01")), "f")


def _json(told: str | None) -> Any:  # what was told
    return None if told is None else json.loads(told)
