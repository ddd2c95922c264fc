"""An order as it is answered: folded, each line with what was decided and how it stands."""

from collections.abc import Mapping

import asyncpg

from services.orders.domain.outcomes import standing
from services.orders.repository import reading
from services.orders.repository.folding import outcome_of
from shared.postgres.connecting import Connection


async def answer(connection: Connection, order_id: str) -> dict[str, object] | None:
    """The order of this id; None where nobody has told of it."""
    found = await reading.find(connection, order_id)
    if found is None:
        return None
    rows: Mapping[str, asyncpg.Record] = {row["line_id"]: row for row in found.lines}
    told = reading.order_json(found.order)
    told["lines"] = [
        {
            "told": {"line_id": line_id, "is_named": line.revision == found.order.revision,
                     "quantity": line.quantity, "cancelled": line.cancelled,
                     "shipped": line.shipped, "returned": line.returned, "sku": line.sku,
                     "listing": line.listing, "method": line.method,
                     "fulfilled_by": line.fulfilled_by, "fulfil_from": line.fulfil_from,
                     "short_at": line.shorts},
            **(_line_json(rows[line_id]) if line_id in rows else {}),
        }
        for line_id, line in found.order.lines.items()
    ]  # fmt: skip
    return told


def _line_json(row: asyncpg.Record) -> dict[str, object]:
    outcome = None if row["version"] is None else outcome_of(row)
    stands = row["decision"] if row["revision"] is None else standing(row["revision"], outcome)
    return {
        "decision": row["decision"],
        "reason": row["reason"],
        "waits_for": row["waits_for"],
        "revision": row["revision"],
        "wish": reading.json_of(row["wish"]),
        "standing": str(stands),
        "outcome": None if outcome is None else {
            "version": outcome.version, "decided_for": outcome.decided_for,
            "wanted": outcome.wanted, "shipped": outcome.shipped, "short": outcome.short,
            "short_at": outcome.short_at, "dated": outcome.dated,
            "allocated": reading.json_of(row["allocated"]),
        },
    }  # fmt: skip
