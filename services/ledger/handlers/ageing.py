"""Facts from closed months: parked, since the movements they would join are kept elsewhere."""

from uuid import UUID

from services.ledger.handlers.reading import Fact, Facts, names_of
from services.ledger.repository.parking import Refusal
from shared.kafka.batches import Message


def drop_too_old(facts: Facts, first_id: UUID) -> None:
    """Refuse what has an id, which begins with its time, below this; of a correction, also what
    speaks of a fact from before.
    """
    for name in ("postings", "anchors", "corrections"):
        found: list[Fact] = getattr(facts, name)
        first = first_of if name == "corrections" else _own_id
        old = [fact for fact in found if first(fact) < first_id]
        if old:
            setattr(facts, name, [fact for fact in found if first(fact) >= first_id])
            facts.refusals += [too_old(fact.message) for fact in old]


def first_of(fact: Fact) -> UUID:
    """The earliest id that the message speaks of."""
    return min(names_of(fact))


def _own_id(fact: Fact) -> UUID:
    return fact.event_id


def too_old(message: Message) -> Refusal:
    """The refusal of an event from a closed month."""
    return Refusal(
        message=message,
        reason="too_old",
        detail="the event belongs to a month that is closed; correct the present stock with a "
        "count or an adjustment of today",
    )
