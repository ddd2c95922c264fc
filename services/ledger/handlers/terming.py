"""Reference records as told, in the words of the terms that requests are decided under."""

from collections.abc import Iterable, Sequence

from services.ledger.domain import terms
from services.ledger.domain.terms import Life, Reference, SkuFacts
from services.ledger.repository.terms import Kept
from shared.contracts.records import Undecodable
from shared.contracts.reference import Calendar, Channel, ChannelKind, Location, Policy, Product
from shared.contracts.topics import REFERENCE_DATA
from shared.stock import policies
from shared.stock.policies import Place, Scope, Term

TERMS = frozenset(Term)
Shaping = Product | Location | Calendar | Channel | Policy


def kept_of(records: Iterable[Shaping]) -> list[Kept]:
    """The records as they are kept, one a key: the one that wins."""
    latest: dict[tuple[str, str], Shaping] = {}
    for record in records:
        key = record.kind, record.record_id
        if key not in latest or latest[key].revision <= record.revision:
            latest[key] = record
    return [
        Kept(
            kind=kind, id=id_, revision=record.revision, sku=_sku_of(record),
            record=record.encode(),
        )
        for (kind, id_), record in latest.items()
    ]  # fmt: skip


def _sku_of(record: Shaping) -> str | None:
    if isinstance(record, Product):
        return record.sku
    return record.scope.sku if isinstance(record, Policy) else None


def reference_of(version: int, records: Iterable[bytes]) -> Reference:
    """Everything that concerns more than one SKU."""
    locations: dict[str, list[terms.Location]] = {}
    channels: dict[str, list[terms.Channel]] = {}
    found: list[policies.Policy] = []
    for told in map(_read, records):
        if isinstance(told, Location):
            locations.setdefault(told.location_id, []).append(_location(told))
        elif isinstance(told, Channel):
            channels.setdefault(told.channel, []).append(_channel(told))
        elif isinstance(told, Policy) and _speaks(told):
            found.append(_policy(told))
    return Reference(version=version, locations=locations, channels=channels, policies=found)


def facts_of(sku: str, version: int, records: Sequence[bytes]) -> SkuFacts:
    """What is known of one SKU alone."""
    told = [_read(record) for record in records]
    return SkuFacts(
        sku=sku,
        version=version,
        lives=tuple(_life(one) for one in told if isinstance(one, Product)),
        policies=tuple(_policy(one) for one in told if isinstance(one, Policy) and _speaks(one)),
    )


def _read(record: bytes) -> object:
    told = REFERENCE_DATA.decode(record)
    assert not isinstance(told, Undecodable), "it was read before it was kept"
    return told


def _speaks(told: Policy) -> bool:
    return not told.deleted and told.value is not None and told.term in TERMS


def _policy(told: Policy) -> policies.Policy:
    assert told.value is not None, told
    scope = told.scope
    return policies.Policy(
        policy_id=told.policy_id, term=Term(told.term), value=told.value,
        scope=Scope(
            sku=scope.sku, category=scope.category or (), segment=scope.segment,
            location=scope.location, location_group=scope.location_group,
            country=scope.country, channel=scope.channel,
        ),
        begins=told.from_, ends=told.until,
    )  # fmt: skip


def _life(told: Product) -> Life:
    cycle = told.life_cycle
    return Life(
        begins=told.from_, ends=told.until, is_deleted=told.deleted, category=told.category,
        segment=told.segment, sold_from=cycle.on_sale_from, sold_until=cycle.end_of_life,
        is_recalled=cycle.recalled,
        made_of=tuple((part.sku, part.quantity) for part in told.kit),
    )  # fmt: skip


def _location(told: Location) -> terms.Location:
    return terms.Location(
        place=Place(
            location=told.location_id,
            groups=frozenset({told.group} if told.group else ()),
            country=told.country,
        ),
        capabilities=frozenset(map(str, told.capabilities)) or None,
        begins=told.from_, ends=told.until, is_deleted=told.deleted,
    )  # fmt: skip


def _channel(told: Channel) -> terms.Channel:
    # A store's own channel is its till: the first location of its pool is where it stands.
    is_store = told.channel_kind is ChannelKind.STORE and bool(told.pool)
    return terms.Channel(
        channel=told.channel, pool=tuple(dict.fromkeys(told.pool)),
        methods=tuple(map(str, dict.fromkeys(told.methods))),
        own_till=told.pool[0] if is_store else None,
        begins=told.from_, ends=told.until, is_deleted=told.deleted,
    )  # fmt: skip
