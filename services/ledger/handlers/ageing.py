"""Facts from closed months: parked, since the movements they would join are kept elsewhere."""

from uuid import UUID

from services.ledger.handlers.reading import Fact, Facts
from services.ledger.repository.parking import Refusal
from shared.kafka.batches import Message


def drop_too_old(facts: Facts, first_id: UUID) -> None:
    """Refuse the postings and anchors whose id, which begins with their time, is below this."""
    for name in ("postings", "anchors"):
        found: list[Fact] = getattr(facts, name)
        old = [fact for fact in found if fact.event_id < first_id]
        if old:
            setattr(facts, name, [fact for fact in found if fact.event_id >= first_id])
            facts.refusals += [too_old(fact.message) for fact in old]


def too_old(message: Message) -> Refusal:
    """The refusal of an event from a closed month."""
    return Refusal(
        message=message,
        reason="too_old",
        detail="the event belongs to a month that is closed; correct the present stock with a "
        "count or an adjustment of today",
    )
