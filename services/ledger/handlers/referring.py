"""Reference data as the ledger needs it: what exists, and the terms that requests meet."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.ledger.handlers.roles import Roles
from services.ledger.handlers.terming import kept_of
from services.ledger.repository import costs, lots, references, sources, terms
from services.ledger.repository.parking import Refusal
from services.ledger.repository.sources import KeptSource
from shared.contracts.partitions import partition_for
from shared.contracts.partners import Source
from shared.contracts.places import Calendar, Channel, Location
from shared.contracts.policies import Policy
from shared.contracts.products import Product, Revaluation
from shared.contracts.records import Undecodable
from shared.contracts.topics import REFERENCE_DATA, STOCK_MOVEMENTS
from shared.kafka.batches import Message
from shared.postgres.connecting import Connection
from shared.stock.policies import Term

Told = Product | Location | Calendar | Source | Channel | Policy | Revaluation


@dataclass(slots=True)
class _Kinds:
    products: list[Product]
    locations: list[Location]
    sources: list[Source]


def read_records(messages: Sequence[Message], refusals: list[Refusal]) -> list[Told]:
    """The records that concern the ledger; unreadable ones are refused, other kinds passed over."""
    told: list[Told] = []
    for message in messages:
        record = REFERENCE_DATA.decode(message.value)
        if isinstance(record, Undecodable):
            refusals.append(
                Refusal(message=message, reason=str(record.reason), detail=record.detail)
            )
        elif isinstance(record, Told):
            told.append(record)
    return told


async def fold(connection: Connection, told: Sequence[Told]) -> None:
    """Make known what the records name. A record whose time has not begun is known already: facts
    may reach us before the day; one that has ended stays known, since facts still arrive.
    """
    if products := {r.sku: r for r in told if isinstance(r, Product)}:
        await references.add_skus(
            connection,
            [(sku, partition_for(sku.encode(), STOCK_MOVEMENTS.partitions)) for sku in products],
        )
        await lots.keep_tracked(
            connection, [(r.sku, r.tracks_lots or r.tracks_expiry) for r in products.values()]
        )
    if locations := {r.location_id: r for r in told if isinstance(r, Location)}:
        await references.add_locations(
            connection, [(name, str(r.location_kind)) for name, r in locations.items()]
        )
    if declared := sources_of(told):
        await references.declare_sources(connection, {r.source_id for r in declared})
        await sources.keep_records(connection, _kept_sources(declared))
    if any(isinstance(r, Policy) and r.term == Term.EXPIRY_DAYS for r in told):
        await lots.look_again(connection)
    if shaping := [r for r in told if not isinstance(r, Source | Revaluation)]:
        await terms.keep(connection, kept_of(shaping))
    if revalued := [record for record in told if isinstance(record, Revaluation)]:
        await costs.keep_revaluations(connection, [_revalued(record) for record in revalued])


def _revalued(record: Revaluation) -> costs.Revalued:
    assert record.from_ is not None, "a validated revaluation says when"
    return costs.Revalued(
        record_id=record.record_id, sku=record.sku, entity=record.legal_entity or "",
        at=record.from_, unit_cost=record.unit_cost, currency=record.currency,
        revision=record.revision, is_deleted=record.deleted,
    )  # fmt: skip


def sources_of(told: Sequence[Told]) -> list[Source]:
    """The records that say who posts and who observes."""
    return [record for record in told if isinstance(record, Source)]


async def learn_roles(connection: Connection, roles: Roles) -> None:
    """Read every source's records again if any has changed since."""
    version = await sources.records_version(connection)
    if version == roles.version:
        return
    told = [REFERENCE_DATA.decode(record) for record in await sources.all_records(connection)]
    roles.learn(one for one in told if isinstance(one, Source))
    roles.version = version


def _kept_sources(told: Sequence[Source]) -> list[KeptSource]:
    latest: dict[str, Source] = {}
    for record in told:
        if (held := latest.get(record.record_id)) is None or held.revision <= record.revision:
            latest[record.record_id] = record
    return [
        KeptSource(
            record_id=key, source=record.source_id, revision=record.revision,
            record=record.encode(),
        )
        for key, record in latest.items()
    ]  # fmt: skip
