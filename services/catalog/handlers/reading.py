"""A batch of reference data as records: of several states of one key the one that counts."""

from dataclasses import dataclass, field

from services.catalog.handlers.translating import row_of
from services.catalog.repository.rows import RecordRow
from shared.contracts.cloudevents import identity_of
from shared.contracts.dated import Dated
from shared.contracts.policies import Policy
from shared.contracts.records import Undecodable
from shared.contracts.topics import REFERENCE_DATA
from shared.kafka.batches import Batch, Message
from shared.postgres.parking import Refusal

UNKNOWN_SOURCE = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One record with the message that told it."""

    row: RecordRow
    record: Dated
    message: Message
    source: str


@dataclass(slots=True)
class Reading:
    """What a batch says."""

    heard: dict[tuple[str, str], Heard] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    messages: int = 0

    @property
    def has_policies(self) -> bool:
        return any(isinstance(one.record, Policy) for one in self.heard.values())


def read(batch: Batch) -> Reading:
    """Decode every message; of one record the highest revision counts, of equals the later."""
    reading = Reading()
    for message in batch.messages():
        reading.messages += 1
        found = REFERENCE_DATA.decode(message.value)
        if isinstance(found, Undecodable):
            reading.refusals.append(
                Refusal(message=message, reason=found.reason.value, detail=found.detail)
            )
            continue
        assert isinstance(found, Dated), "the topic's models are dated records"
        identity = identity_of(message.headers)
        heard = Heard(
            row=row_of(found), record=found, message=message,
            source=identity[0] if identity else UNKNOWN_SOURCE,
        )  # fmt: skip
        key = (heard.row.kind, heard.row.record_id)
        before = reading.heard.get(key)
        if before is None or before.row.revision <= heard.row.revision:
            reading.heard[key] = heard
    return reading
