"""What became of a batch: the fates of its messages, counted."""

from collections.abc import Collection
from dataclasses import dataclass, field
from uuid import UUID

from services.ledger.repository.parking import Refusal
from services.ledger.repository.references import LevelKey


class CorrectedError(Exception):
    """Facts that were read as news have been told otherwise, before or in the same batch: it is
    run again with them among its corrections.
    """

    def __init__(self, ids: Collection[UUID]) -> None:
        super().__init__(f"{len(ids)} facts are corrections")
        self.ids = ids


@dataclass(slots=True)
class Outcome:
    """Filled while a batch is posted; counts are told only after the commit."""

    refusals: list[Refusal] = field(default_factory=list)
    posted: int = 0
    duplicates: int = 0
    observed: int = 0
    is_remembered: bool = False  # what is to be told of it is in memory already
    created: dict[LevelKey, int] = field(default_factory=dict)
