"""Order lines: what commands want, what shipments consume, and whom new stock serves."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from services.ledger.domain.kits import book_together
from services.ledger.domain.lines import Command, Line, Shelves, Took, book_all, give_back, want
from services.ledger.handlers import fencing, kitting
from services.ledger.handlers.kitting import Families, skus_of
from services.ledger.handlers.movements import sides_of
from services.ledger.handlers.reading import MOVES_ORDER_LINE, Fact, Facts
from services.ledger.repository.lines import (
    Candidate,
    Consumed,
    LineKey,
    any_short,
    due_lines,
    ensure_lines,
    find_lines,
    free_at,
    lock_levels,
    lock_lines,
    save_lines,
    settle_due,
)
from services.ledger.repository.parking import Refusal
from services.ledger.repository.references import Known, LevelKey
from services.ledger.repository.suspensions import InVain, suspend
from shared.contracts.accounts import Bucket, MovementType
from shared.contracts.commands import StockCommand
from shared.contracts.partitions import partition_for
from shared.contracts.records import Undecodable
from shared.contracts.topics import ALLOCATIONS, STOCK_COMMANDS
from shared.kafka.batches import Message
from shared.postgres.connecting import Connection

ONLY_TAKES = frozenset({MovementType.SALE, MovementType.SHIPMENT, MovementType.DISPOSAL})


@dataclass(frozen=True, slots=True)
class Wanted:
    """A stock command that was read."""

    message: Message
    command: StockCommand


@dataclass(slots=True)
class Plan:
    """Lines that a batch may change, and the levels to lock before them."""

    ids: dict[LineKey, int] = field(default_factory=dict)
    line_ids: set[int] = field(default_factory=set)
    levels: set[int] = field(default_factory=set)
    skus: set[int] = field(default_factory=set)
    families: Families = field(default_factory=dict)

    def add(self, found: Sequence[Candidate]) -> None:
        """Lines that may be booked anew."""
        for one in found:
            self.ids[one.key] = one.order_line_id
            self.line_ids.add(one.order_line_id)
            self.levels.update(one.candidates)


def read_commands(messages: Sequence[Message], refusals: list[Refusal]) -> list[Wanted]:
    """The commands of a batch; what holds none is refused."""
    wanted: list[Wanted] = []
    for message in messages:
        command = STOCK_COMMANDS.decode(message.value)
        if isinstance(command, StockCommand):
            wanted.append(Wanted(message, command))
        else:
            assert isinstance(command, Undecodable), command
            refusals.append(
                Refusal(message=message, reason=str(command.reason), detail=command.detail)
            )
    return wanted


def line_key(command: StockCommand) -> LineKey:
    """The identity of a line's state."""
    return command.order_id, command.line_id


def drop_unknown_commands(
    wanted: Sequence[Wanted], known: Known, refusals: list[Refusal]
) -> list[Wanted]:
    """Commands whose SKU is known; the others wait.

    A command that names an unknown location is booked at the others, so that its demand is in the
    books, and waits besides: it comes again when the location is known.
    """
    kept: list[Wanted] = []
    for item in wanted:
        command = item.command
        missing = next((c for c in command.candidates if c not in known.locations), None)
        strange = next((sku for sku in skus_of(command) if sku not in known.skus), None)
        if strange is not None:
            refusals.append(_waits(item.message, "sku", strange))
            continue
        if missing is not None:
            refusals.append(_waits(item.message, "location", missing))
        kept.append(item)
    return kept


def _waits(message: Message, kind: str, name: str) -> Refusal:
    return Refusal(
        message=message,
        reason=f"unknown_{kind}",
        detail=f"{kind} {name!r} of a stock command is not in the reference data; the command "
        "comes again by itself when it appears",
        waits_for=f"{kind}:{name}",
    )


def candidate_keys(wanted: Sequence[Wanted], known: Known) -> set[LevelKey]:
    """(sku_id, location_id) of every known candidate."""
    return {
        (known.skus[sku], known.locations[location])
        for item in wanted
        for sku in skus_of(item.command)
        for location in places_of(item.command)
        if location in known.locations
    }


def places_of(command: StockCommand) -> list[str]:
    """Where the line may be served, and where its goods were looked for in vain."""
    if not command.short_at:
        return list(command.candidates)
    return [*command.candidates, *(short.location for short in command.short_at)]


def _in_vain(
    wanted: Sequence[Wanted], known: Known, levels: Mapping[LevelKey, int], now: datetime
) -> list[InVain]:
    """Levels that were looked through in vain, a kit's parts with it: nobody says which it was.

    Nobody has looked later than now: a count as of now would not count.
    """
    return [
        InVain(
            levels[known.skus[sku], known.locations[short.location]], min(short.at, now),
            item.command.order_id, item.command.line_id,
        )
        for item in wanted
        for short in item.command.short_at
        if short.location in known.locations
        for sku in skus_of(item.command)
    ]  # fmt: skip


def names_line(fact: Fact) -> bool:
    """Does the movement name an order line, or a hold that may have become one?"""
    movement = fact.movement
    return (
        movement.order_line is not None or movement.hold is not None
    ) and movement.type in MOVES_ORDER_LINE


def consumed_by(
    fact: Fact, line: LineKey, known: Known, levels: Mapping[LevelKey, int]
) -> Consumed:
    """What a pick, a shipment or a sale does to this line."""
    movement = fact.movement
    sku_id = known.skus[movement.sku]
    came_from, _ = sides_of(movement)
    level = levels.get((sku_id, known.locations[movement.location]))
    is_of_picked = came_from.bucket is Bucket.PICKED
    took = took_by(movement.type.value, is_of_picked=is_of_picked)
    return Consumed(line, movement.sku, sku_id, movement.quantity, level, took)


def took_by(movement_type: str, *, is_of_picked: bool) -> Took:
    """How a movement of this type takes units for a line."""
    if movement_type == MovementType.PICK:
        return Took.PICKED
    return Took.SHIPPED_OF_PICKED if is_of_picked else Took.SHIPPED


def may_raise(facts: Facts) -> bool:
    """Could any of these bring units to a shelf? Tills and parcels by themselves cannot."""
    return bool(facts.anchors) or any(
        fact.movement.type not in ONLY_TAKES or fact.movement.to is not None
        for fact in facts.postings
    )


def raised_skus(facts: Facts, known: Known) -> set[int]:
    """SKUs of which a movement brings units to a shelf."""
    raised: set[int] = set()
    for fact in (*facts.postings, *facts.anchors):
        _, goes_to = sides_of(fact.movement)
        if known.accounts[goes_to.bucket, goes_to.owner] not in known.outside:
            raised.add(known.skus[fact.movement.sku])
    return raised


async def plan_lines(
    connection: Connection,
    wanted: Sequence[Wanted],
    consumed: Sequence[Consumed],
    facts: Facts,
    known: Known,
    levels: Mapping[LevelKey, int],
    corrected: Collection[int] = (),
) -> Plan | None:
    """Find the lines a batch may change, and make the new ones; None where there are none.

    `corrected` are SKUs whose stock corrections change.
    """
    keys: dict[LineKey, int] = {line_key(w.command): known.skus[w.command.sku] for w in wanted}
    keys |= {one.line: one.sku_id for one in consumed}
    raised: set[int] = set()
    if (corrected or may_raise(facts)) and await any_short(connection):
        raised = raised_skus(facts, known) | set(corrected)
    if not keys and not raised:
        return None
    if keys:
        await ensure_lines(
            connection,
            [
                (key, partition_for(key[0].encode(), ALLOCATIONS.partitions), sku)
                for key, sku in keys.items()
            ],
        )
    # A line that wants less now, or was shipped from elsewhere, frees units for others of its SKU.
    plan = Plan(skus={*raised, *keys.values()})
    commands = [item.command for item in wanted]
    plan.skus |= {known.skus[part.sku] for command in commands for part in command.kit}
    found = await find_lines(connection, keys, plan.skus)
    found, plan.families = await kitting.find_families(
        connection, found, commands, consumed, plan.skus, known
    )
    plan.add(found)
    plan.levels.update(levels[key] for key in candidate_keys(wanted, known))
    return plan


async def book(
    connection: Connection,
    plan: Plan,
    wanted: Sequence[Wanted],
    consumed: Sequence[Consumed],
    known: Known,
    levels: Mapping[LevelKey, int],
    now: datetime,
    hold_ahead: timedelta,
) -> None:
    """Fold commands and shipments into their lines, and book them; the levels are locked, and those
    that were looked through in vain are suspended.

    A line that is wanted for a time holds units from `hold_ahead` before it on.
    """
    if told := _in_vain(wanted, known, levels, now):
        await suspend(connection, told)
    before = await lock_lines(connection, plan.line_ids)
    lines = {line.order_line_id: line for line in before}
    channels: dict[int, str | None] = {}
    told_of: dict[int, tuple[str, str | None]] = {}
    for item in wanted:
        number = plan.ids[line_key(item.command)]
        channels[number] = item.command.channel
        command = _command(item.command, known, levels, hold_ahead)
        if (family := plan.families.get(number)) is not None:
            parts = kitting.parts_of(item.command, known, levels)
            kitting.take_over(lines, number, family, command, parts)
        else:
            lines[number] = want(lines[number], command)
            told_of[number] = (item.command.order_id, item.command.channel)
    for one in consumed:
        kitting.consume(lines, plan.ids[one.line], plan.families, one)
    if told_of:
        await fencing.serve_lines(connection, now, lines, told_of)
    await _book_and_save(connection, plan, before, lines, channels, now)


async def book_due(connection: Connection, now: datetime, limit: int) -> int:
    """Book lines whose time has come, the longest overdue first; returns how many.

    Levels are locked before lines, as by every writer. What another worker has booked meanwhile
    stays as it is.
    """
    due = await due_lines(connection, now, limit)
    if not due:
        return 0
    plan = Plan(line_ids=set(due), skus=set(due.values()))
    found = await find_lines(connection, (), plan.skus, line_ids=due)
    found, plan.families = await kitting.find_families(
        connection, found, (), (), plan.skus, Known()
    )
    plan.add(found)
    await lock_levels(connection, plan.levels)
    before = await lock_lines(connection, plan.line_ids)
    lines = {line.order_line_id: line for line in before}
    await settle_due(connection, now, due)
    await _book_and_save(connection, plan, before, lines, {}, now)
    return len(due)


async def _book_and_save(
    connection: Connection,
    plan: Plan,
    before: Sequence[Line],
    lines: dict[int, Line],
    channels: dict[int, str | None],
    now: datetime,
) -> None:
    order = sorted(lines.values(), key=lambda line: line.turn)
    free = await _free(connection, before, lines)
    kitting.require_whole(before, plan.families)
    if plan.families:
        booked = book_together(kitting.grouped(order, plan.families), free, now)
    else:
        booked = book_all(order, free, now)
    after = {line.order_line_id: line for line in booked}
    await save_lines(connection, before, [after[line.order_line_id] for line in before], channels)
    if plan.families:
        await kitting.look_again(connection, before, after, now)


async def _free(
    connection: Connection,
    before: Sequence[Line],
    lines: dict[int, Line],
) -> Shelves:
    """Free units as they are once the shipments of this batch have given up their bookings, and
    lines have been booked with what fences had for them.
    """
    levels = {level for line in lines.values() for level in (*line.candidates, *line.booked)}
    free = await free_at(connection, levels)
    for old in before:
        give_back(free, old.booked, lines[old.order_line_id].booked)
    return free


def _command(
    command: StockCommand, known: Known, levels: Mapping[LevelKey, int], hold_ahead: timedelta
) -> Command:
    sku_id = known.skus[command.sku]
    candidates = tuple(
        levels[sku_id, known.locations[location]]
        for location in command.candidates
        if location in known.locations
    )
    return Command(
        revision=command.revision,
        wanted=0 if command.closed else command.wanted,
        candidates=tuple(dict.fromkeys(candidates)),
        may_split=command.may_split,
        ordered_at=command.ordered_at,
        requested_for=command.requested_for,
        held_from=None if command.requested_for is None else command.requested_for - hold_ahead,
        sku_id=sku_id,
    )
