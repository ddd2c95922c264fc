"""Order lines without a place: accepted units that nothing holds yet, summed by SKU."""

from collections.abc import Mapping

from services.availability.repository import lines
from services.availability.repository.lines import Line, LineKey
from shared.postgres.connecting import Connection


async def keep_lines(connection: Connection, told: Mapping[LineKey, Line]) -> dict[str, int]:
    """Keep the lines' states; returns by how many units each SKU's `unsourced` changes.

    A line that waits for nothing and never did leaves no row.
    """
    if not told:
        return {}
    held = await lines.held(connection, list(told))
    news = [line for key, line in told.items() if _is_news(line, held.get(key))]
    moved: dict[str, int] = {}
    for line in news:
        before = held.get(line.key)
        if before is not None:
            moved[before.sku] = moved.get(before.sku, 0) - before.quantity
        moved[line.sku] = moved.get(line.sku, 0) + line.quantity
    if news:
        await lines.keep(connection, news)
    return {sku: delta for sku, delta in moved.items() if delta}


def _is_news(line: Line, held: Line | None) -> bool:
    if held is None:
        return not line.is_settled
    return held.version < line.version
