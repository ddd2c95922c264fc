"""Facts of sources that observe: kept with a fate of their own, never posted."""

from collections.abc import Sequence
from uuid import UUID

from services.ledger.handlers.movements import details_of, sides_of
from services.ledger.handlers.outcome import Outcome
from services.ledger.handlers.reading import Fact, Facts, conflict
from services.ledger.repository import observations, sources
from services.ledger.repository.observations import Held, Observation
from services.ledger.repository.references import Known
from shared.contracts.accounts import MovementType
from shared.contracts.identity import derived_id
from shared.contracts.movements import fact_id
from shared.postgres.connecting import Connection

# A shop calls a sale what its warehouse calls a shipment.
HANDED_OVER = (MovementType.SALE.value, MovementType.SHIPMENT.value)


async def record(connection: Connection, facts: Facts, known: Known, outcome: Outcome) -> None:
    """Keep what observing sources told, and the numbers that sources gave their messages."""
    if facts.numbers:
        numbers = [(known.sources[source], number) for source, number in facts.numbers]
        await sources.leave_numbers(connection, numbers)
    if facts.observations:
        await _record_observations(connection, facts.observations, known, outcome)


async def _record_observations(
    connection: Connection, facts: Sequence[Fact], known: Known, outcome: Outcome
) -> None:
    """Keep what is news. The same content again is a duplicate; other content replaces what is
    held if its revision is higher, and is refused if not. What was posted under the same id, by
    a source that nobody had declared then, is a duplicate too.
    """
    told = [(fact, _observation(fact, known)) for fact in facts]
    ids = list({one.event_id for _, one in told})
    posted = await observations.posted_ids(connection, ids)
    held = await observations.held(connection, ids)
    news: dict[UUID, Observation] = {}
    for fact, one in sorted(told, key=lambda pair: pair[1].revision):
        before = held.get(one.event_id)
        if one.event_id in posted or (before is not None and before.content == one.content):
            outcome.duplicates += 1
        elif before is not None and one.revision <= before.revision:
            outcome.refusals.append(conflict(fact.message, before.revision))
        else:
            outcome.observed += 1
            news[one.event_id] = one
            held[one.event_id] = Held(revision=one.revision, content=one.content)
    if news:
        await observations.record(connection, list(news.values()))


def _observation(fact: Fact, known: Known) -> Observation:
    movement = fact.movement
    came_from, goes_to = sides_of(movement)
    one = known.accounts[came_from.bucket, came_from.owner]
    other = known.accounts[goes_to.bucket, goes_to.owner]
    type_ = movement.type.value
    event_id, withdraws = _identity(fact)
    return Observation(
        event_id=event_id, source_id=known.sources[fact.source], type=type_,
        types=HANDED_OVER if type_ in HANDED_OVER else (type_,),
        sku_id=known.skus[movement.sku], location_id=known.locations[movement.location],
        from_account=one, to_account=other,
        direction=int(other in known.outside) - int(one in known.outside),
        quantity=movement.quantity,
        revision=movement.document.revision if movement.document else 0,
        occurred_at=fact.moment, withdraws=withdraws, details=details_of(movement),
        is_cancelling=movement.reverses is not None,
    )  # fmt: skip


def _identity(fact: Fact) -> tuple[UUID, UUID | None]:
    """The observation's id, and that of the one which it cancels or replaces."""
    named = fact.movement.reverses or fact.movement.corrects
    own = UUID(bytes=fact.event_id.bytes)
    if named is None:
        return own, None
    withdrawn = UUID(bytes=fact_id(named, fact.movement, source=fact.source))
    if withdrawn != own:
        return own, withdrawn
    if fact.movement.reverses is None:
        return own, None  # the same moment: its revision says that it replaces
    seconds = int(fact.moment.timestamp())
    return UUID(bytes=derived_id(own.bytes, own.bytes, "withdrawal", seconds)), own
