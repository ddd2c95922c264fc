"""Reference records as told, in the words of the formula."""

from collections.abc import Iterable, Mapping
from datetime import datetime

from services.availability.domain import reference
from services.availability.domain.facts import Life, Part
from services.availability.repository.lines import Line
from services.availability.repository.reference import Told
from shared.contracts.allocations import Allocation
from shared.contracts.identity import part_line_id
from shared.contracts.orders import Method
from shared.contracts.records import Undecodable
from shared.contracts.reference import Channel, ChannelKind, Location, Policy, Product
from shared.contracts.topics import REFERENCE_DATA
from shared.stock import policies
from shared.stock.policies import Place, Scope, Term

# Until a channel says itself whether it shows places, those whose customers come to one do.
SHOWS_PLACES = frozenset({Method.COLLECT, Method.IN_STORE_HOLD})


def told_of(record: Location | Channel | Policy) -> Told:
    """The record as it is kept. A policy that was taken back is kept, and speaks no more."""
    return Told(
        kind=record.kind,
        id=record.record_id,
        version=record.revision,
        sku=record.scope.sku if isinstance(record, Policy) else None,
        record=record.encode(),
    )


def lines_of(told: Allocation) -> list[Line]:
    """What of the line has no place, or is wanted for later.

    A kit's line has units without a place under the SKUs of its parts, where they are owed; what
    of it is wanted for later counts against the kit's promise, and against its parts' too.
    """
    is_dated, is_unsourced = told.requested_for is not None, told.short_at is None
    is_owed_in_parts = any(part.wanted for part in told.parts)
    whole = Line(
        order_id=told.order_id, line_id=told.line_id, sku=told.sku, version=told.version,
        quantity=told.short if is_unsourced and not is_owed_in_parts else 0,
        dated=told.dated if is_dated else 0, requested_for=told.requested_for,
    )  # fmt: skip
    parts = [
        Line(
            order_id=told.order_id, line_id=part_line_id(told.line_id, part.sku), sku=part.sku,
            version=told.version, quantity=part.short if is_unsourced else 0,
            dated=part.dated if is_dated else 0, requested_for=told.requested_for,
        )
        for part in told.parts
    ]  # fmt: skip
    return [whole, *parts]


def life_of(product: Product) -> Life:
    """What a product record says of its SKU's life."""
    cycle = product.life_cycle
    return Life(
        revision=product.revision,
        begins=product.from_,
        ends=product.until,
        is_deleted=product.deleted,
        category=product.category,
        segment=product.segment,
        sold_from=cycle.on_sale_from,
        sold_until=cycle.end_of_life,
        is_recalled=cycle.recalled,
        kit=tuple(Part(part.sku, part.quantity) for part in product.kit),
    )


def policy_of(told: Policy) -> policies.Policy:
    """A policy record of one of our terms."""
    assert told.value is not None, told
    scope = told.scope
    return policies.Policy(
        policy_id=told.policy_id,
        term=Term(told.term),
        value=told.value,
        scope=Scope(
            sku=scope.sku,
            category=scope.category or (),
            segment=scope.segment,
            location=scope.location,
            location_group=scope.location_group,
            country=scope.country,
            channel=scope.channel,
        ),
        begins=told.from_,
        ends=told.until,
    )


def reference_of(
    records: Iterable[bytes], numbers: Mapping[str, int], version: int
) -> reference.Reference:
    """Everything that concerns more than one SKU. `numbers` are the channels' short numbers."""
    locations: dict[str, list[reference.Location]] = {}
    channels: dict[str, list[reference.Channel]] = {}
    found: list[policies.Policy] = []
    for record in records:
        told = REFERENCE_DATA.decode(record)
        assert not isinstance(told, Undecodable), "it was read before it was kept"
        if isinstance(told, Location):
            locations.setdefault(told.location_id, []).append(_location(told))
        elif isinstance(told, Channel):
            channels.setdefault(told.channel, []).append(_channel(told, numbers[told.channel]))
        elif isinstance(told, Policy) and not told.deleted:
            found.append(policy_of(told))
    return reference.Reference(
        version=version, locations=locations, channels=channels, policies=found
    )


def _location(told: Location) -> reference.Location:
    return reference.Location(
        place=Place(
            location=told.location_id,
            groups=frozenset({told.group} if told.group else ()),
            country=told.country,
        ),
        capabilities=frozenset(map(str, told.capabilities)) or None,
        begins=told.from_,
        ends=told.until,
        is_deleted=told.deleted,
    )


def _channel(told: Channel, number: int) -> reference.Channel:
    # A store's own channel is its till: the first location of its pool is where it stands.
    is_store = told.channel_kind is ChannelKind.STORE and bool(told.pool)
    return reference.Channel(
        channel=told.channel,
        number=number,
        pool=tuple(dict.fromkeys(told.pool)),
        methods=tuple(map(str, dict.fromkeys(told.methods))),
        priority=told.priority,
        own_till=told.pool[0] if is_store else None,
        shows_locations=not SHOWS_PLACES.isdisjoint(told.methods),
        begins=told.from_,
        ends=told.until,
        is_deleted=told.deleted,
    )


def moments_of(record: Location | Channel | Policy) -> Iterable[datetime]:
    """When the record begins and ends to hold."""
    return (at for at in (record.from_, record.until) if at is not None)
