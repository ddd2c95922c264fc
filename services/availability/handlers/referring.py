"""Reference data as it comes: kept, versioned, and made due where it speaks of a time to come."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from services.availability.domain.facts import Facts, Life
from services.availability.handlers.translating import moments_of, policy_of, told_of
from services.availability.repository import reference
from services.availability.repository.reference import Told
from services.availability.repository.stock import Opened
from shared.contracts.reference import Channel, Location, Policy
from shared.postgres.connecting import Connection
from shared.stock import policies

SHARED_KEY = "shared"

Kept = Location | Channel | Policy
RecordKey = tuple[str, str]


@dataclass(slots=True)
class OwnChange:
    """What changed of one SKU's own policies: those that speak now, and those that don't."""

    speaking: list[policies.Policy] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)

    def applied_to(self, facts: Facts) -> Facts:
        """The SKU's facts after the change."""
        for policy_id in self.silent:
            facts = facts.without_policy(policy_id)
        for policy in self.speaking:
            facts = facts.with_policy(policy)
        return facts


OwnChanges = dict[str, OwnChange]


async def keep_records(
    connection: Connection, opened: Opened, records: Sequence[Kept]
) -> tuple[OwnChanges, Opened]:
    """Keep what is news; raises the policy version when more than one SKU is concerned.

    Of two records with one key the higher revision wins, of equal ones the later told: that is
    also the one that compaction leaves, so that a rebuild comes out the same.
    """
    if not records:
        return {}, opened
    latest = _latest(records)
    held = await reference.held(connection, list(latest))
    news = {key: record for key, record in latest.items() if _is_news(record, held.get(key))}
    if not news:
        return {}, opened
    await reference.keep(connection, [told_of(record) for record in news.values()])
    own = _own_changes(news, held)
    shared = [r for key, r in news.items() if _concerns_many(r, held.get(key))]
    if shared:
        channels = [r.channel for r in shared if isinstance(r, Channel)]
        await reference.number_channels(connection, channels)
        moments = [(at, SHARED_KEY) for r in shared for at in moments_of(r)]
        await reference.add_due(connection, moments, opened.at)
        opened = await reference.raise_policy_version(connection, opened)
    return own, opened


async def add_due_of_skus(
    connection: Connection, facts: Mapping[str, Facts], opened: Opened
) -> None:
    """Make due what SKUs' own records say of times to come."""
    moments = [(at, f"sku:{sku}") for sku, found in facts.items() for at in found.boundaries()]
    await reference.add_due(connection, moments, opened.at)


def fold_lives(facts: Facts, lives: Iterable[Life]) -> Facts:
    """The facts after these product records."""
    for life in lives:
        facts = facts.with_life(life)
    return facts


def _latest(records: Sequence[Kept]) -> dict[RecordKey, Kept]:
    latest: dict[RecordKey, Kept] = {}
    for record in records:
        key = (record.kind, record.record_id)
        if key not in latest or latest[key].revision <= record.revision:
            latest[key] = record
    return latest


def _is_news(record: Kept, held: Told | None) -> bool:
    if held is None:
        return True
    return held.version <= record.revision and held.record != record.encode()


def _concerns_many(record: Kept, held: Told | None) -> bool:
    if not isinstance(record, Policy):
        return True
    return record.scope.sku is None or (held is not None and held.sku is None)


def _own_changes(news: Mapping[RecordKey, Kept], held: Mapping[RecordKey, Told]) -> OwnChanges:
    changes: OwnChanges = {}
    for key, record in news.items():
        if not isinstance(record, Policy):
            continue
        before = held.get(key)
        if before is not None and before.sku is not None:
            changes.setdefault(before.sku, OwnChange()).silent.append(record.policy_id)
        if record.scope.sku is not None and not record.deleted:
            changes.setdefault(record.scope.sku, OwnChange()).speaking.append(policy_of(record))
    return changes
