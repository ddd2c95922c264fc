"""What becomes of a hold: it is released, or it becomes the row of its order's lines."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import asyncpg

from services.ledger.domain.kits import book_together
from services.ledger.domain.lines import Line
from services.ledger.handlers import kitting
from services.ledger.handlers.kit_settling import become, find_kit_lines
from services.ledger.repository import holds
from services.ledger.repository.lines import (
    LineKey,
    ensure_lines,
    find_lines,
    free_at,
    lock_levels,
    lock_lines,
    save_lines,
)
from services.ledger.repository.waiting import note_waiting
from shared.contracts.holds import Purpose
from shared.contracts.partitions import partition_for
from shared.contracts.topics import ALLOCATIONS
from shared.postgres.connecting import Connection
from shared.runtime.clock import Clock

Rows = Sequence[asyncpg.Record]


class NotHeldError(Exception):
    """The hold has ended, or is another order's: nothing was changed."""


async def release(connection: Connection, clock: Clock, hold_id: str) -> None:
    """Give back what of a hold is open. What has run out by now has expired instead."""
    rows = await open_rows(connection, hold_id)
    levels = _levels(rows)
    await lock_levels(connection, levels)
    now = clock.now()
    await holds.expire(connection, levels, now)
    await holds.settle(connection, hold_id, now, "released", [(row["part"], None) for row in rows])


async def extend(connection: Connection, clock: Clock, hold_id: str, until: datetime) -> None:
    """What of a hold is open ends at `until`. Levels tell when their fences end."""
    rows = await open_rows(connection, hold_id)
    if any(row["purpose"] == Purpose.RING_FENCE for row in rows):
        await lock_levels(connection, _levels(rows))
    await holds.extend(connection, hold_id, until, clock.now())


async def confirm(
    connection: Connection, clock: Clock, hold_id: str, rows: Rows, keys: Sequence[LineKey]
) -> None:
    """Turn a hold, whose open parts are `rows`, into its order's lines; `keys` name the order line
    of each line of the hold.

    A line that no command has told of yet is booked where the hold was. One whose command came
    first is in the books already: it gets the units that the hold gives back. Raises NotHeldError
    if a part has ended meanwhile.
    """
    skus: dict[LineKey, int] = {
        keys[row["line"]]: row["kit_sku_id"] or row["sku_id"] for row in rows
    }
    await ensure_lines(
        connection,
        [(key, partition_for(key[0].encode(), ALLOCATIONS.partitions), skus[key]) for key in skus],
    )
    found = {line.key: line for line in await find_lines(connection, skus, ())}
    kits = await find_kit_lines(connection, rows, keys, found)
    levels = {*_levels(rows), *(level for line in found.values() for level in line.candidates)}
    levels |= kits.levels
    await lock_levels(connection, levels)
    now = clock.now()
    await holds.expire(connection, _levels(rows), now)
    ids = {key: line.order_line_id for key, line in found.items()}
    parts = [(row["part"], ids[keys[row["line"]]]) for row in rows]
    if await holds.settle(connection, hold_id, now, "confirmed", parts) != len(rows):
        raise NotHeldError
    before = await lock_lines(connection, {*ids.values(), *kits.line_ids})
    lines = {line.order_line_id: line for line in before}
    if any(lines[ids[key]].sku_id != sku_id for key, sku_id in skus.items()):
        raise NotHeldError  # the order's line is of another SKU
    kitting.require_whole(before, kits.families)
    free = await free_at(connection, levels)
    waiting = _waiting_by_line(rows, keys, ids)
    for number, held in _held_by_line(rows, keys, ids).items():
        if number not in kits.families:
            lines[number] = _becomes(lines[number], held, free, waiting.get(number, 0))
    become(lines, kits, free)
    groups = [
        group
        for group in kitting.grouped(list(lines.values()), kits.families)
        if not (group[0].is_kit and group[0].revision >= 0)
    ]
    after = lines | {line.order_line_id: line for line in book_together(groups, free, now)}
    channels = {ids[keys[row["line"]]]: row["channel"] for row in rows}
    await save_lines(connection, before, [after[line.order_line_id] for line in before], channels)
    if waiting:
        await note_waiting(connection, waiting)


async def open_rows(connection: Connection, hold_id: str) -> list[asyncpg.Record]:
    """The parts of a hold that hold units."""
    rows = (await holds.find(connection, [hold_id])).get(hold_id, [])
    return [row for row in rows if row["settled_at"] is None]


def _becomes(line: Line, held: Mapping[int, int], free: dict[int, int], waiting: int = 0) -> Line:
    """The line with what was held for it. Its booking is counted as taken of `free`. One that
    waits is short, and is booked on what is there by now.
    """
    if line.revision >= 0:
        return line
    booked = dict(line.booked)
    for level, quantity in held.items():
        booked[level] = booked.get(level, 0) + quantity
        free[level] = free.get(level, 0) - quantity
    return replace(
        line,
        wanted=line.wanted + sum(held.values()),
        candidates=tuple(dict.fromkeys((*line.candidates, *held))),
        may_split=True,
        booked=booked,
        short=line.short + waiting,
    )


def _waiting_by_line(
    rows: Rows, keys: Sequence[LineKey], ids: Mapping[LineKey, int]
) -> dict[int, int]:
    """Units that wait, by order line."""
    waiting: dict[int, int] = {}
    for row in rows:
        if row["is_waiting"]:
            number = ids[keys[row["line"]]]
            waiting[number] = waiting.get(number, 0) + row["quantity"]
    return waiting


def _held_by_line(
    rows: Rows, keys: Sequence[LineKey], ids: Mapping[LineKey, int]
) -> dict[int, dict[int, int]]:
    """Units by level, by order line."""
    held: dict[int, dict[int, int]] = {}
    for row in rows:
        levels = held.setdefault(ids[keys[row["line"]]], {})
        levels[row["level_id"]] = levels.get(row["level_id"], 0) + row["quantity"]
    return held


def _levels(rows: Rows) -> list[int]:
    return sorted({row["level_id"] for row in rows})
