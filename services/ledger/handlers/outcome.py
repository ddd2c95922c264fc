"""What became of a batch: the fates of its messages, counted."""

from dataclasses import dataclass, field

from services.ledger.repository.parking import Refusal
from services.ledger.repository.references import LevelKey


@dataclass(slots=True)
class Outcome:
    """Filled while a batch is posted; counts are told only after the commit."""

    refusals: list[Refusal] = field(default_factory=list)
    posted: int = 0
    duplicates: int = 0
    observed: int = 0
    is_remembered: bool = False  # what is to be told of it is in memory already
    created: dict[LevelKey, int] = field(default_factory=dict)
