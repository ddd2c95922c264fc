"""Kits' order lines in a batch: the lines of their parts are found, made, told and shipped."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

import asyncpg

from services.ledger.domain.kits import Part, want_kit
from services.ledger.domain.lines import Command, Line
from services.ledger.domain.lines import consume as take_for
from services.ledger.repository import kits
from services.ledger.repository.kits import NewPart
from services.ledger.repository.lines import Candidate, Consumed, LineKey, find_lines
from services.ledger.repository.references import Known
from shared.contracts.commands import StockCommand
from shared.contracts.identity import part_line_id
from shared.postgres.connecting import Connection

# The line of a kit → the SKU of each of its parts → that part's line.
Families = dict[int, dict[int, int]]

# Kits that wait may hang together by the parts they share. What is left out after so many steps
# stands in the way of the others, as if it were served.
ROUNDS_MAX = 8


def skus_of(command: StockCommand) -> list[str]:
    """The SKUs that a command is about: its own, and the parts where it is a kit's."""
    if not command.kit:
        return [command.sku]
    return [command.sku, *(part.sku for part in command.kit)]


async def find_families(
    connection: Connection,
    found: Sequence[Candidate],
    commands: Sequence[StockCommand],
    consumed: Sequence[Consumed],
    skus: set[int],
    known: Known,
) -> tuple[list[Candidate], Families]:
    """The lines found, with all lines of the kits among them; those of new parts are made.

    A kit is decided on all of its parts: lines that are short of any of them are found as well,
    since their missing units stand where the kit gives its own back, and `skus` grows by theirs.
    """
    by_key = {one.key: one for one in found}
    fresh = _new_parts(by_key, commands, consumed, known)
    await kits.ensure_parts(connection, fresh)
    numbers = _kits_among(found) | {part.kit_line_id for part in fresh}
    members: list[Candidate] = []
    for _ in range(ROUNDS_MAX):
        members = await kits.find_families(connection, numbers) if numbers else []
        more = {one.sku_id for one in members} - skus
        if not more:
            break
        skus |= more
        found = [*found, *await find_lines(connection, (), more)]
        numbers |= _kits_among(found)
    families: Families = {}
    for one in members:
        parts = families.setdefault(_kit_of(one), {})
        if one.part_of is not None:
            parts[one.sku_id] = one.order_line_id
    alone = [one for one in found if one.part_of is None or one.part_of in families]
    return [*alone, *members], families


def _kits_among(found: Iterable[Candidate]) -> set[int]:
    return {_kit_of(one) for one in found if one.is_kit or one.part_of is not None}


def _kit_of(one: Candidate) -> int:
    return one.order_line_id if one.part_of is None else one.part_of


def _new_parts(
    by_key: Mapping[LineKey, Candidate],
    commands: Sequence[StockCommand],
    consumed: Sequence[Consumed],
    known: Known,
) -> list[NewPart]:
    """The parts that commands name; and of lines that no command has told of yet, what is shipped
    for them under a second SKU: it may be a part's.
    """
    told = [
        ((command.order_id, command.line_id), part.sku)
        for command in commands
        for part in command.kit
    ]
    shipped = [
        (one.line, one.sku)
        for one in consumed
        if by_key[one.line].revision < 0 and by_key[one.line].sku_id != one.sku_id
    ]
    return [
        NewPart(
            kit_line_id=by_key[key].order_line_id,
            line_id=part_line_id(key[1], sku),
            sku_id=known.skus[sku],
        )
        for key, sku in dict.fromkeys((*told, *shipped))
    ]


def require_whole(lines: Iterable[Line], families: Families) -> None:
    """A line that became a kit's after it was looked for is looked for again: raises what the
    batch is run again for.
    """
    for line in lines:
        if (line.is_kit and line.order_line_id not in families) or (
            line.part_of is not None and line.part_of not in families
        ):
            raise asyncpg.SerializationError("a line became a kit's meanwhile: run again")


def take_over(
    lines: dict[int, Line], number: int, family: Mapping[int, int], told: Command, parts: list[Part]
) -> None:
    """Take a command over into a kit's line and those of its parts."""
    members = [lines[part] for part in family.values()]
    for line in want_kit(lines[number], members, told, parts):
        lines[line.order_line_id] = line


def parts_of(
    command: StockCommand, known: Known, levels: Mapping[tuple[int, int], int]
) -> list[Part]:
    """The parts that the command names, with the levels of each at the command's candidates."""
    places = dict.fromkeys(
        known.locations[name] for name in command.candidates if name in known.locations
    )
    return [
        Part(
            sku_id=known.skus[part.sku],
            per_kit=part.quantity,
            candidates=tuple(levels[known.skus[part.sku], place] for place in places),
        )
        for part in command.kit
    ]


def consume(
    lines: dict[int, Line], number: int, families: Families, consumed: Consumed
) -> None:  # fmt: skip
    """Count what has gone for the part whose SKU it is, else for the line itself. What had not
    happened, below 0, is taken off where it stands: a line may have become a kit's after it.
    """
    part = families.get(number, {}).get(consumed.sku_id)
    counted = number
    if part is not None and (lines[part].per_kit or lines[number].revision < 0):
        counted = part
    if consumed.quantity < 0 and lines[counted].gone == 0:
        counted = number
    lines[counted] = take_for(lines[counted], consumed.took, consumed.quantity, consumed.level)


def grouped(order: Sequence[Line], families: Families) -> list[list[Line]]:
    """The lines in the order given, each kit's with those of its parts at its own turn."""
    by_number = {line.order_line_id: line for line in order}
    return [
        [line, *(by_number[part] for part in families.get(line.order_line_id, {}).values())]
        for line in order
        if line.part_of is None
    ]


async def look_again(
    connection: Connection,
    before: Sequence[Line],
    after: Mapping[int, Line],
    now: datetime,
) -> None:
    """Have parts that have newly come out short booked once more after the commit.

    Commands of a kit and movements of its parts come by several partitions, hence by several
    workers: one that looked for short lines before this commit has not seen these. Where nothing
    changes any more, it ends.
    """
    await kits.note_due(
        connection,
        [
            line.order_line_id
            for line in before
            if line.part_of is not None
            and (told := after[line.order_line_id]).short
            and told != line
        ],
        now,
    )
