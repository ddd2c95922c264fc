"""Whether a source's word on a movement posts or is only compared."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from shared.contracts.accounts import MovementType
from shared.contracts.movements import StockMovement
from shared.contracts.partners import SnapshotUse, Source, SourceRole

SNAPSHOT = "snapshot"
_ALWAYS = datetime.min.replace(tzinfo=UTC)


class Roles:
    """What this process knows of sources: every record of each, and which may observe at all.

    `version` is that of the table when it was last read; None before.
    """

    __slots__ = ("_records", "observing", "timed", "version")

    def __init__(self) -> None:
        self._records: dict[str, dict[str, Source]] = {}
        self.observing: frozenset[str] = frozenset()
        self.timed: frozenset[str] = frozenset()  # those that may be silent for so long only
        self.version: int | None = None

    def learn(self, records: Iterable[Source]) -> None:
        """Take in records, from the log or the table; of two with one key the higher revision
        wins, of equals the later told, which is also the one that compaction leaves.
        """
        observing, timed = set(self.observing), set(self.timed)
        for record in records:
            held = self._records.setdefault(record.source_id, {})
            before = held.get(record.record_id)
            if before is None or before.revision <= record.revision:
                held[record.record_id] = record
            _mark(observing, record.source_id, any(map(_may_observe, held.values())))
            _mark(timed, record.source_id, any(one.max_silence_seconds for one in held.values()))
        self.observing, self.timed = frozenset(observing), frozenset(timed)

    def observes(self, source: str, movement: StockMovement, moment: datetime) -> bool:
        """Is this word only compared? By the record in force when it happened, so that a fact
        told again, or read again from the log, has the same fate. Who is not declared posts.
        """
        record = record_at(self._records.get(source, {}).values(), moment)
        if is_snapshot(movement):
            return record is None or record.snapshots is SnapshotUse.COMPARE
        if record is None:
            return False
        return role_of(record, movement.location, movement.type) is SourceRole.OBSERVES

    def limits_at(self, moment: datetime) -> dict[str, int]:
        """How many seconds of opening time each source may be silent, where its record says."""
        found: dict[str, int] = {}
        for source in self.timed:
            record = record_at(self._records[source].values(), moment)
            if record is not None and record.max_silence_seconds is not None:
                found[source] = record.max_silence_seconds
        return found

    def records_of(self, source: str) -> Sequence[Source]:
        """Every record of a source."""
        return list(self._records.get(source, {}).values())


def is_snapshot(movement: StockMovement) -> bool:
    """A count with the reason `snapshot` is a system's own figure; nobody has counted."""
    reason = movement.reason
    return movement.type is MovementType.COUNT and reason is not None and reason.code == SNAPSHOT


def role_of(source: Source, location: str, movement_type: MovementType) -> SourceRole:
    """The role of the most specific rule: location and type, then location, then type, then the
    source's own. Of several equally specific rules the last one told wins.
    """
    told = {(rule.location, rule.movement_type): rule.role for rule in source.rules}
    for named in ((location, movement_type), (location, None), (None, movement_type), (None, None)):
        if (role := told.get(named)) is not None:
            return role
    return source.role


def record_at(records: Iterable[Source], moment: datetime) -> Source | None:
    """The record of one source in force at `moment`: the one that began last, and of its tellings
    the highest revision. None if nobody declared the source for then. A revision that takes a
    record back or ends it hides the lower ones.
    """
    newest: dict[datetime, Source] = {}
    for record in sorted(records, key=lambda told: told.revision):
        newest[record.from_ or _ALWAYS] = record
    holding = [begun for begun, record in newest.items() if record.holds_at(moment)]
    return newest[max(holding)] if holding else None


def _mark(names: set[str], name: str, is_in: bool) -> None:  # noqa: FBT001  (one of two words)
    (names.add if is_in else names.discard)(name)


def _may_observe(record: Source) -> bool:
    roles = [record.role, *(rule.role for rule in record.rules)]
    return SourceRole.OBSERVES in roles
