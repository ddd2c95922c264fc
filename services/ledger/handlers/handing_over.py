"""Movements that name an order line or a hold: they take its units, which wait no longer."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.ledger.domain.handing_over import PartKey, handed_over
from services.ledger.handlers.booking import consumed_by, names_line
from services.ledger.handlers.movements import sides_of
from services.ledger.handlers.reading import Fact
from services.ledger.repository import handing_over
from services.ledger.repository.handing_over import Named
from services.ledger.repository.lines import Consumed
from services.ledger.repository.references import Known, LevelKey
from shared.contracts.accounts import Bucket
from shared.postgres.connecting import Connection


@dataclass(frozen=True, slots=True)
class Taking:
    """The facts of a batch that take units for somebody, and what of holds and lines they name."""

    facts: Sequence[Fact]
    named: Named
    consumed: Sequence[tuple[Fact, Consumed]]


def is_concerned(fact: Fact) -> bool:
    """Could the movement take what is held or booked?"""
    movement = fact.movement
    return movement.hold is not None or (movement.order_line is not None and names_line(fact))


async def find(
    connection: Connection, facts: Sequence[Fact], known: Known, levels: Mapping[LevelKey, int]
) -> Taking:
    """What these facts take."""
    concerned = [fact for fact in facts if is_concerned(fact)]
    ids = {fact.movement.hold for fact in concerned if fact.movement.hold is not None}
    named = await handing_over.find(connection, ids) if ids else Named()
    consumed: list[tuple[Fact, Consumed]] = []
    for fact in concerned:
        reference = fact.movement.order_line
        line = named.lines.get((fact.movement.hold or "", fact.movement.sku))
        if reference is not None:
            line = reference.order_id, reference.line_id
        if line is not None and names_line(fact):
            consumed.append((fact, consumed_by(fact, line, known, levels)))
    return Taking(concerned, named, consumed)


async def settle(
    connection: Connection,
    now: datetime,
    facts: Sequence[Fact],
    named: Named,
    known: Known,
    levels: Mapping[LevelKey, int],
) -> None:
    """What these facts, which are news, take off a shelf in the name of a hold is held no longer;
    the levels are locked.
    """
    taken: dict[PartKey, int] = {}
    for fact in facts:
        movement = fact.movement
        parts = named.parts.get(movement.hold or "", [])
        if not parts or sides_of(movement)[0].bucket is not Bucket.SELLABLE:
            continue
        left = [part._replace(left=part.left - taken.get(part.key, 0)) for part in parts]
        level = levels.get((known.skus[movement.sku], known.locations[movement.location]))
        for key, units in handed_over(movement.quantity, movement.sku, level, left).items():
            taken[key] = taken.get(key, 0) + units
    await handing_over.take(connection, now, taken)
