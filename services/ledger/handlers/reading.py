"""From messages to facts with an identity: what can be said before the database is asked."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from asyncpg.pgproto.pgproto import UUID

from services.ledger.handlers.roles import Roles
from services.ledger.repository.parking import Refusal
from shared.contracts.accounts import MovementType
from shared.contracts.cloudevents import identity_of
from shared.contracts.identity import DocumentKey, event_id
from shared.contracts.movements import StockMovement, decode_movements, fact_id
from shared.contracts.records import Undecodable
from shared.kafka.batches import Message

SKEW_MAX = timedelta(minutes=5)
YIELD_EVERY = 1_000
ANCHORS = frozenset({MovementType.OPENING, MovementType.COUNT})
MOVES_ORDER_LINE = frozenset({MovementType.PICK, MovementType.SHIPMENT, MovementType.SALE})


class Fact(NamedTuple):
    """A movement that was read, with its id, its source, and its moment in UTC.

    A tuple, since one is made per event of a drain.
    """

    message: Message
    event_id: UUID
    source: str
    movement: StockMovement
    moment: datetime


@dataclass(slots=True)
class Facts:
    """What the movement messages of a batch say, each with one fate."""

    postings: list[Fact] = field(default_factory=list)
    anchors: list[Fact] = field(default_factory=list)
    corrections: list[Fact] = field(default_factory=list)  # of facts that are told otherwise too
    observations: list[Fact] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)
    duplicates: int = 0
    numbers: list[tuple[str, int]] = field(default_factory=list)  # source, `sequence`

    @property
    def needs_names(self) -> bool:
        """Something beside plain postings names SKUs, locations or sources."""
        return bool(self.anchors or self.corrections or self.is_about_sources)

    @property
    def is_about_sources(self) -> bool:
        """Something is kept of who tells, besides what is posted."""
        return bool(self.observations or self.numbers)


async def read_movements(
    messages: Sequence[Message], now: datetime, facts: Facts, roles: Roles
) -> None:
    """Decode, identify and sort out; yields to the event loop every thousand messages."""
    seen: dict[bytes, Fact] = {}
    latest = now + SKEW_MAX
    for start in range(0, len(messages), YIELD_EVERY):
        chunk = messages[start : start + YIELD_EVERY]
        decoded = decode_movements(message.value for message in chunk)
        for message, movement in zip(chunk, decoded, strict=True):
            _sort_out(message, movement, latest, seen, facts, roles)
        await asyncio.sleep(0)


def _sort_out(
    message: Message,
    movement: StockMovement | Undecodable,
    latest: datetime,
    seen: dict[bytes, Fact],
    facts: Facts,
    roles: Roles,
) -> None:
    if isinstance(movement, Undecodable):
        facts.refusals.append(
            Refusal(message=message, reason=str(movement.reason), detail=movement.detail)
        )
        return
    fact = _identify(message, movement, facts)
    if isinstance(fact, Refusal):
        facts.refusals.append(fact)
    elif fact.moment > latest:
        facts.refusals.append(
            Refusal(
                message=message,
                reason="in_the_future",
                detail=f"occurred_at {movement.occurred_at.isoformat()} is more than five minutes "
                "ahead of this clock; correct the source's clock, then replay",
            )
        )
    elif (fact.source in roles.observing or movement.reason is not None) and roles.observes(
        fact.source, movement, fact.moment
    ):
        facts.observations.append(fact)
    elif movement.corrects is not None or movement.reverses is not None:
        facts.corrections.append(fact)
    elif (before := seen.setdefault(fact.event_id.bytes, fact)) is not fact:
        _note_twin(before, fact, facts)
    elif movement.type in ANCHORS:
        _sort_anchor(fact, facts)
    else:
        facts.postings.append(fact)


def _sort_anchor(fact: Fact, facts: Facts) -> None:
    if fact.movement.lot is None or fact.movement.type.value == "opening":
        facts.anchors.append(fact)
        return
    facts.refusals.append(
        Refusal(
            message=fact.message,
            reason="lot_scoped",
            detail="what is counted is a shelf with all of its lots: tell the total without a "
            "lot; lots follow from the movements that name them",
        )
    )


def _identify(message: Message, movement: StockMovement, facts: Facts) -> Fact | Refusal:
    """The event id: by document where there is one, else by the message's own id. The source's
    number has been heard whatever becomes of the message.
    """
    told = identity_of(message.headers)
    if told is None:
        return Refusal(
            message=message,
            reason="missing_attributes",
            detail="a movement needs the headers ce_source and ce_id (CloudEvents, binary mode)",
        )
    source, ce_id = told
    if movement.sequence is not None:
        facts.numbers.append((source, movement.sequence))
    document: DocumentKey | None = None
    if (paper := movement.document) is not None:
        document = (paper.kind, paper.number, paper.line)
    moment = movement.occurred_at.astimezone(UTC)  # once: asyncpg asks for it too
    id_ = event_id(source, ce_id, int(moment.timestamp()), document)
    return Fact(message, UUID(id_), source, movement, moment)


def _note_twin(before: Fact, fact: Fact, facts: Facts) -> None:
    """The same id twice in one batch: the same once more changes nothing."""
    is_higher = revision_of(fact) > revision_of(before)
    if same_content(before.movement, fact.movement) and not is_higher:
        facts.duplicates += 1
    else:
        facts.corrections.append(fact)


def revision_of(fact: Fact) -> int:
    """The revision that the message has of its document."""
    document = fact.movement.document
    return 0 if document is None else document.revision


def names_of(fact: Fact) -> tuple[UUID, UUID]:
    """The message's own id, and that of the fact that it is about."""
    own = fact.event_id
    named = fact.movement.reverses or fact.movement.corrects
    if named is None:
        return own, own
    return own, UUID(fact_id(named, fact.movement, source=fact.source))


def same_content(one: StockMovement, other: StockMovement) -> bool:
    """Do two tellings of one fact say the same? What the levels depend on decides."""
    return (
        one.type == other.type
        and one.sku == other.sku
        and one.quantity == other.quantity
        and one.location == other.location
        and one.to_location == other.to_location
        and one.from_ == other.from_
        and one.to == other.to
    )


def conflict(message: Message, stored_revision: int) -> Refusal:
    """The refusal of a known id with other content."""
    return Refusal(
        message=message,
        reason="conflicting_duplicate",
        detail=f"the same document or message id was posted before with other content (revision "
        f"{stored_revision}); send a higher revision to correct it",
    )
